--[[
Append a piece of text to a job's own stream, or make the stream this run's.

KEYS[1] the stream
ARGV[1] the run that writes
ARGV[2] where its text stands before this piece, in bytes
ARGV[3] the piece; empty: only clear what an earlier run has left, if anything
ARGV[4] milliseconds the stream lives after its last write
ARGV[5] the channel that says that it has grown

An entry's id is `{epoch}-{bytes of the run's text up to and with it}`. The first entry of an
epoch is `{epoch}-0` and names its run; a new epoch removes the one before it. An epoch is the
time of its beginning in milliseconds, so that none comes twice, even after an expiry.

A piece that is there already was sent twice, and is not appended again. After a loss of data on
the server the text goes on where the run stands.

Returns 1 when the piece is there, 0 when the stream belongs to another run by now.
]]
local key, run, start, piece = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local head = redis.call("XRANGE", key, "-", "+", "COUNT", 1)[1]

if head == nil and piece == "" then
  return 1
end
if head == nil or head[2][2] ~= run then
  if head ~= nil and start > 0 then
    return 0
  end
  local time = redis.call("TIME")
  local epoch = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if head ~= nil then
    epoch = math.max(epoch, tonumber(string.match(head[1], "^(%d+)-")) + 1)
    redis.call("DEL", key)
  end
  redis.call("XADD", key, string.format("%.0f-0", epoch), "run", run)
end

local last = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)[1][1]
local epoch, position = string.match(last, "^(%d+)-(%d+)$")
if piece ~= "" and tonumber(position) <= start then
  redis.call("XADD", key, string.format("%s-%.0f", epoch, start + #piece), "text", piece)
end
redis.call("PEXPIRE", key, ARGV[4])
redis.call("PUBLISH", ARGV[5], "")
return 1
