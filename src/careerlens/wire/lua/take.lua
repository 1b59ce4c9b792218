--[[
  Take the next job: BullMQ's moveToActive, with a short way for the usual case.

  Keys, arguments, reply, and what is written in which order are those of moveToActive, which does
  the work itself where the queue is paused or has limits, and where a delayed job is due. Which
  way is taken is decided before anything is written.

    KEYS[1]  'wait'
    KEYS[2]  'active'
    KEYS[3]  'prioritized'
    KEYS[4]  'events'
    KEYS[5]  'stalled'
    KEYS[6]  'limiter'
    KEYS[7]  'delayed'
    KEYS[8]  'paused'
    KEYS[9]  'meta'
    KEYS[10] 'pc'
    KEYS[11] 'marker'

    ARGV[1] keys prefix
    ARGV[2] timestamp (ms)
    ARGV[3] msgpacked options: token, lockDuration, limiter, name
    ARGV[4] of the options, the token; '' where they ask for more than the next three tell
    ARGV[5] the lock's duration (ms)
    ARGV[6] the worker's name, or ''

  Output: as of moveToActive.

  Events: active.
]]
--@paste starting

-- A look at a key of another type is no answer that is usual: theirs says what is wrong.
local call, look, KEYS, ARGV = redis.call, redis.pcall, KEYS, ARGV
local activeKey, delayedKey, now, token = KEYS[2], KEYS[7], ARGV[2], ARGV[4]
local isUsual = token ~= ""
if isUsual then
  local meta = look("HMGET", KEYS[9], "paused", "concurrency", "max")
  local untilNow = (now + 1) * 0x1000 - 1
  isUsual = meta[1] == false and not (meta[2] or meta[3])
    and next(look("ZRANGEBYSCORE", delayedKey, 0, untilNow, "LIMIT", 0, 1)) == nil
end

if isUsual then
  local jobId = call("RPOPLPUSH", KEYS[1], activeKey)
  if jobId and string.sub(jobId, 1, 2) == "0:" then
    -- No job, but how versions of long ago marked a line.
    call("LREM", activeKey, 1, jobId)
    jobId = call("RPOPLPUSH", KEYS[1], activeKey)
  end
  jobId = jobId or nextPrioritized(KEYS[3], activeKey, KEYS[10])
  if jobId then
    return started(jobId, ARGV[1], now, KEYS[4], KEYS[11], token, ARGV[5], ARGV[6])
  end
  return nextDue(delayedKey) or { 0, 0, 0, 0 }
end

--@include moveToActive

return moveToActive(KEYS, ARGV)
