--[[
  Append what a batch of a queue's events means to the feeds of the owners, and move the queue's
  position, in one step. Nothing happens unless the caller still holds the lease and the position
  is where the caller last saw it, so a relay that was frozen, or that repeats a call whose reply
  was lost, appends nothing twice.

    KEYS[1]       lease of the queue
    KEYS[2]       position of the queue
    KEYS[3+2i]    feed of owner i (from 0)
    KEYS[4+2i]    live index of owner i

    ARGV[1]  token of the lease
    ARGV[2]  position expected, empty for none yet
    ARGV[3]  position after the batch
    ARGV[4]  lease duration (ms): a working relay keeps its lease
    ARGV[5]  length a feed is trimmed to, about
    ARGV[6]  seconds a feed is kept after its last entry
    ARGV[7]  number of owners, n
    ARGV[8 .. 7+n]  wake-up channel of each owner
    ARGV[8+n ..]    steps, four values each: owner (from 1), kind, a, b
        append   field a of a new feed entry gets the value b
        index    live index: member a with score b, unless it is there
        drop     live index: member a is taken out; b is not used

  Output: entries appended, -1 the lease is lost, -2 the position is another
  Publishes on each owner's channel the id of the newest entry appended for them.
]]
if redis.call("GET", KEYS[1]) ~= ARGV[1] then
  return -1
end
if (redis.call("GET", KEYS[2]) or "") ~= ARGV[2] then
  return -2
end

local owners = tonumber(ARGV[7])
local newest = {}
local appended = 0

for at = 8 + owners, #ARGV, 4 do
  local owner = tonumber(ARGV[at])
  local kind, a, b = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local feed, live = KEYS[1 + 2 * owner], KEYS[2 + 2 * owner]
  if kind == "append" then
    newest[owner] = redis.call("XADD", feed, "MAXLEN", "~", ARGV[5], "*", a, b)
    appended = appended + 1
  elseif kind == "index" then
    redis.call("ZADD", live, "NX", b, a)
  else
    redis.call("ZREM", live, a)
  end
end

for owner, id in pairs(newest) do
  redis.call("EXPIRE", KEYS[1 + 2 * owner], ARGV[6])
  redis.call("PUBLISH", ARGV[7 + owner], id)
end

redis.call("SET", KEYS[2], ARGV[3])
redis.call("PEXPIRE", KEYS[1], ARGV[4])
return appended
