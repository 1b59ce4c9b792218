--[[
  Add a job by its priority: BullMQ's addPrioritizedJob, with a short way for the usual job.

  As add-standard.lua: the same keys, arguments, reply and writes as addPrioritizedJob, which
  does the work itself in every case that is not the usual one.

    KEYS[1] 'marker'
    KEYS[2] 'meta'
    KEYS[3] 'id'
    KEYS[4] 'prioritized'
    KEYS[5] 'delayed'
    KEYS[6] 'completed'
    KEYS[7] 'active'
    KEYS[8] 'events'
    KEYS[9] 'pc'

    ARGV[1] to ARGV[3] as of add-standard.lua

  Output: the job's id, or a negative refusal of addPrioritizedJob.

  Events: added, waiting.
]]
local head, opts = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[3])
local jobId = head[2]
local call = redis.call

local isUsual = head[5] == nil and head[6] == nil and head[8] == nil and opts["de"] == nil
if isUsual and jobId ~= "" then
  local key = head[1] .. jobId
  -- Two keys of the queue come into being before theirs asks whether the id exists.
  isUsual = key ~= KEYS[2] and key ~= KEYS[3] and call("EXISTS", key) == 0
end

if isUsual then
  local counted = call("INCR", KEYS[3])
  if jobId == "" then
    jobId = counted .. ""
  end
  -- Read at once, though two of them are needed later: nothing in between changes them.
  local meta = call("HMGET", KEYS[2], "opts.maxLenEvents", "paused", "concurrency")
  local eventsKept = meta[1]
  if not eventsKept then
    eventsKept = 10000
    call("HSET", KEYS[2], "opts.maxLenEvents", eventsKept)
  end
  local priority = opts["priority"] or 0
  call("HMSET", head[1] .. jobId, "name", head[3], "data", ARGV[2], "opts", cjson.encode(opts),
    "timestamp", head[4], "delay", opts["delay"] or 0, "priority", priority)
  call("XADD", KEYS[8], "*", "event", "added", "jobId", jobId, "name", head[3])
  local isHeldBack = meta[2] or meta[3] and call("LLEN", KEYS[7]) >= tonumber(meta[3])
  -- Jobs of one priority stand in the order in which they came.
  local turn = call("INCR", KEYS[9]) % 0x100000000
  call("ZADD", KEYS[4], priority * 0x100000000 + turn, jobId)
  if not isHeldBack then
    call("ZADD", KEYS[1], 0, "0")
  end
  call("XADD", KEYS[8], "MAXLEN", "~", eventsKept, "*", "event", "waiting", "jobId", jobId)
  return jobId
end

--@include addPrioritizedJob

return addPrioritizedJob(KEYS, ARGV)
