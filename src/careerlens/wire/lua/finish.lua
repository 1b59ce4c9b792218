--[[
  End a job and take the next: BullMQ's moveToFinished, with a short way for the usual case.

  Keys, arguments, reply, and what is written in which order are those of moveToFinished, which
  does the work itself wherever anything is out of the usual: a failure, a job with a parent, with
  children or with a deduplication key, a lock that is not ours, a queue that is paused or has
  limits, a delayed job that is due, more to be removed than one finished job. Which way is taken
  is decided before anything is written.

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
    KEYS[11] 'completed' or 'failed'
    KEYS[12] job key
    KEYS[13] 'metrics:completed' or 'metrics:failed'
    KEYS[14] 'marker'

    ARGV[1]  job id
    ARGV[2]  timestamp (ms)
    ARGV[3]  'returnvalue' or 'failedReason'
    ARGV[4]  its value
    ARGV[5]  'completed' or 'failed'
    ARGV[6]  '1' to take the next job
    ARGV[7]  keys prefix
    ARGV[8]  msgpacked options
    ARGV[9]  msgpacked fields to write, or ''
    ARGV[10] of the options, the token; '' where they ask for more than the next four tell
    ARGV[11] the lock's duration (ms)
    ARGV[12] the worker's name, or ''
    ARGV[13] for how long finished jobs are kept (s), or '' for ever
    ARGV[14] how many are kept, or '' for all

  Output: as of moveToFinished.

  Events: completed, then active of the next job, or drained.
]]
--@paste starting

-- Functions without outer variables: each of those would cost every call.

-- Whether what is kept lets at most one finished job go, the oldest, and that one without ado;
-- and its id, if one has to go.
local function isRetentionUsual(finishedKey, now, keptS, keptJobs, prefix)
  local look = redis.pcall
  local oldest = look("ZRANGE", finishedKey, 0, 0, "WITHSCORES")
  if oldest[1] == nil then
    return next(oldest) == nil
  end
  if keptS ~= "" and tonumber(oldest[2]) <= now - keptS * 1000 then
    return false
  end
  local excess = keptJobs == "" and -1 or look("ZCARD", finishedKey) - keptJobs
  if excess ~= 0 then
    return excess < 0
  end
  local isOlder = tonumber(oldest[2]) < tonumber(now)
  return isOlder and not look("HGET", prefix .. oldest[1], "parentKey"), oldest[1]
end

-- A look at a key of another type is no answer that is usual: theirs says what is wrong.
local call, look, KEYS, ARGV = redis.call, redis.pcall, KEYS, ARGV
local activeKey, eventsKey, delayedKey, jobKey = KEYS[2], KEYS[4], KEYS[7], KEYS[12]
local prefix, now, jobId, token = ARGV[7], ARGV[2], ARGV[1], ARGV[10]
local lockKey = jobKey .. ":lock"
local isUsual = token ~= "" and ARGV[5] == "completed" and ARGV[6] == "1" and ARGV[9] == ""
local attemptsMade, maxEvents, isAlone, evicted

-- What is out of the usual for a whole queue is asked first: it is so for the next jobs, too.
if isUsual then
  local meta = look("HMGET", KEYS[9], "opts.maxLenEvents", "paused", "concurrency", "max")
  maxEvents = meta[1] or ""
  isUsual = not (meta[2] or meta[3] or meta[4]) and string.find(maxEvents, "^[1-9]%d*$")
end
if isUsual then
  local job = look("HMGET", jobKey, "timestamp", "parentKey", "parent", "deid", "atm")
  attemptsMade = job[5] or "0"
  isUsual = job[1] and not (job[2] or job[3] or job[4])
    and string.find(attemptsMade, "^%d%d?%d?%d?$") and look("GET", lockKey) == token
end
if isUsual then
  -- Four keys of which mostly none exists, and then nothing more has to be asked of them.
  local dependencies, unsuccessful = jobKey .. ":dependencies", jobKey .. ":unsuccessful"
  isAlone = look("EXISTS", dependencies, unsuccessful, KEYS[5], delayedKey) == 0
  if not isAlone then
    local untilNow = (now + 1) * 0x1000 - 1
    isUsual = look("EXISTS", dependencies, unsuccessful) == 0
      and next(look("ZRANGEBYSCORE", delayedKey, 0, untilNow, "LIMIT", 0, 1)) == nil
  end
end
if isUsual and (ARGV[13] ~= "" or ARGV[14] ~= "") then
  isUsual, evicted = isRetentionUsual(KEYS[11], now, ARGV[13], ARGV[14], prefix)
end

if isUsual then
  call("DEL", lockKey)
  if not isAlone then
    call("SREM", KEYS[5], jobId)
  end
  if call("LREM", activeKey, -1, jobId) < 1 then
    return -3
  end
  local added = call("ZADD", KEYS[11], now, jobId)
  call("HSET", jobKey, "atm", attemptsMade + 1, ARGV[3], ARGV[4], "finishedOn", now)
  if evicted and added == 1 then
    local key = prefix .. evicted
    call("DEL", key, key .. ":logs", key .. ":dependencies", key .. ":processed",
      key .. ":failed", key .. ":unsuccessful")
    call("ZREM", KEYS[11], evicted)
  end
  -- Theirs trims before it adds: one more is left where it is trimmed after.
  call("XADD", eventsKey, "MAXLEN", "~", maxEvents + 1, "*",
    "event", "completed", "jobId", jobId, ARGV[3], ARGV[4], "prev", "active")

  local nextId = call("RPOPLPUSH", KEYS[1], activeKey)
  if not nextId then
    nextId = nextPrioritized(KEYS[3], activeKey, KEYS[10])
  elseif string.sub(nextId, 1, 2) == "0:" then
    -- No job, but how versions of long ago marked a line: 0:0, that jobs have a priority.
    call("LREM", activeKey, 1, nextId)
    nextId = nextId == "0:0" and (nextPrioritized(KEYS[3], activeKey, KEYS[10]) or error("no job"))
  end
  if nextId then
    return started(nextId, prefix, now, eventsKey, KEYS[14], token, ARGV[11], ARGV[12])
  end
  local due = nextDue(delayedKey)
  if due then
    return due
  end
  if call("LLEN", KEYS[1]) == 0 and call("LLEN", activeKey) == 0 and call("ZCARD", KEYS[3]) == 0 then
    call("XADD", eventsKey, "*", "event", "drained")
  end
  return 0
end

--@include moveToFinished

return moveToFinished(KEYS, ARGV)
