--[[
  Append to one owner's feed what events of a queue mean, where position and feed lie in different
  slots of a cluster. Each event is told once: the last one that was is noted beside the feed, and
  what does not come after it is left out, whoever tells it again and for whatever reason.

    KEYS[1]  feed of the owner
    KEYS[2]  live index of the owner
    KEYS[3]  hash of the owner: for each queue `era id` of the last event told

    ARGV[1]  queue
    ARGV[2]  era: ids of events are compared within one only
    ARGV[3]  length a feed is trimmed to, about
    ARGV[4]  seconds a feed is kept after its last entry
    ARGV[5]  wake-up channel of the owner
    ARGV[6 ..]  steps, oldest first, four values each: id of the event, kind, a, b
        append   field a of a new feed entry gets the value b
        index    live index: member a with score b, unless it is there
        drop     live index: member a is taken out; b is not used

  Output: entries appended; or, where a later era was told already, that one as a negative number
  Publishes on the owner's channel the id of the newest entry appended.
]]
local era = tonumber(ARGV[2])
local toldMs, toldSequence = -1, 0
local told = redis.call("HGET", KEYS[3], ARGV[1])
if told then
  local itsEra, ms, sequence = string.match(told, "^(%d+) (%d+)-(%d+)$")
  itsEra = tonumber(itsEra)
  if itsEra > era then
    return -itsEra
  end
  if itsEra == era then
    toldMs, toldSequence = tonumber(ms), tonumber(sequence)
  end
end

local appended = 0
local newest = false
local last = false

for at = 6, #ARGV, 4 do
  local id, kind, a, b = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local ms, sequence = string.match(id, "^(%d+)-(%d+)$")
  ms, sequence = tonumber(ms), tonumber(sequence)
  if ms > toldMs or (ms == toldMs and sequence > toldSequence) then
    last = id
    if kind == "append" then
      newest = redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[3], "*", a, b)
      appended = appended + 1
    elseif kind == "index" then
      redis.call("ZADD", KEYS[2], "NX", b, a)
    else
      redis.call("ZREM", KEYS[2], a)
    end
  end
end

if last then
  redis.call("HSET", KEYS[3], ARGV[1], ARGV[2] .. " " .. last)
  redis.call("EXPIRE", KEYS[3], ARGV[4])
end
if newest then
  redis.call("EXPIRE", KEYS[1], ARGV[4])
  redis.call("PUBLISH", ARGV[5], newest)
end
return appended
