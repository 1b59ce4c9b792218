--[[
  Add a job to the plain line: BullMQ's addStandardJob, with a short way for the usual job.

  Keys, arguments, reply, and what is written in which order are those of addStandardJob, which
  does the work itself for a job with a parent, a deduplication key or a scheduler, and for an
  id that exists. Which way is taken is decided before anything is written.

    KEYS[1] 'wait'
    KEYS[2] 'paused'
    KEYS[3] 'meta'
    KEYS[4] 'id'
    KEYS[5] 'completed'
    KEYS[6] 'delayed'
    KEYS[7] 'active'
    KEYS[8] 'events'
    KEYS[9] 'marker'

    ARGV[1] msgpacked: keys prefix, custom id or '', name, timestamp (ms), parent key,
            parent's dependencies key, parent, scheduler key, deduplication key
    ARGV[2] data, JSON text
    ARGV[3] msgpacked options

  Output: the job's id, or a negative refusal of addStandardJob.

  Events: added, waiting.
]]
local head, opts = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[3])
local jobId = head[2]
local call = redis.call

local isUsual = head[5] == nil and head[6] == nil and head[8] == nil and opts["de"] == nil
if isUsual and jobId ~= "" then
  local key = head[1] .. jobId
  -- Two keys of the queue come into being before theirs asks whether the id exists.
  isUsual = key ~= KEYS[3] and key ~= KEYS[4] and call("EXISTS", key) == 0
end

if isUsual then
  local counted = call("INCR", KEYS[4])
  if jobId == "" then
    jobId = counted .. ""
  end
  -- Read at once, though two of them are needed later: nothing in between changes them.
  local meta = call("HMGET", KEYS[3], "opts.maxLenEvents", "paused", "concurrency")
  local eventsKept = meta[1]
  if not eventsKept then
    eventsKept = 10000
    call("HSET", KEYS[3], "opts.maxLenEvents", eventsKept)
  end
  call("HMSET", head[1] .. jobId, "name", head[3], "data", ARGV[2], "opts", cjson.encode(opts),
    "timestamp", head[4], "delay", opts["delay"] or 0, "priority", opts["priority"] or 0)
  call("XADD", KEYS[8], "*", "event", "added", "jobId", jobId, "name", head[3])
  local isHeldBack = meta[2] or meta[3] and call("LLEN", KEYS[7]) >= tonumber(meta[3])
  call(opts["lifo"] and "RPUSH" or "LPUSH", KEYS[1], jobId)
  if not isHeldBack then
    call("ZADD", KEYS[9], 0, "0")
  end
  call("XADD", KEYS[8], "MAXLEN", "~", eventsKept, "*", "event", "waiting", "jobId", jobId)
  return jobId
end

--@include addStandardJob

return addStandardJob(KEYS, ARGV)
