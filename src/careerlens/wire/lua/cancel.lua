--[[
  Cancel a job, whatever its state; the server decides who wins against a worker.

  A job that does not run is finished here: it is taken out of its set as if a worker had taken
  it, and BullMQ's own moveToFinished fails it, so that parents, deduplication, retention and
  `drained` are handled as they do it. A running job gets a mark, and its id is published.

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
    KEYS[11] 'failed'
    KEYS[12] job key
    KEYS[13] 'metrics:failed'
    KEYS[14] 'marker'
    KEYS[15] 'completed'
    KEYS[16] 'waiting-children'

    ARGV[1] job id
    ARGV[2] timestamp (ms)
    ARGV[3] failedReason
    ARGV[4] keys prefix
    ARGV[5] token for the moment between taking and failing
    ARGV[6] pub/sub channel of the queue's workers
    ARGV[7] msgpacked fields written with the failure

  Output:
    'cancelled'      it did not run and is failed now
    'requested'      it runs; marked and published
    'final'          it is completed or failed
    'missing'        there is no such job, or it stands in no state

  Events: failed [, drained] as moveToFinished emits them; none for a running job.
]]
--@include moveToFinished

local jobId = ARGV[1]
local jobKey = KEYS[12]

if redis.call("EXISTS", jobKey) == 0 then
  return "missing"
end
if redis.call("ZSCORE", KEYS[15], jobId) or redis.call("ZSCORE", KEYS[11], jobId) then
  return "final"
end

local removed = redis.call("ZREM", KEYS[3], jobId) == 1
  or redis.call("ZREM", KEYS[7], jobId) == 1
  or redis.call("ZREM", KEYS[16], jobId) == 1

if not removed and redis.call("LPOS", KEYS[2], jobId) then
  redis.call("HSETNX", jobKey, "cancelRequestedAt", ARGV[2])
  redis.call("PUBLISH", ARGV[6], jobId)
  return "requested"
end

removed = removed
  or redis.call("LREM", KEYS[1], 1, jobId) == 1
  or redis.call("LREM", KEYS[8], 1, jobId) == 1

if not removed then
  return "missing"
end

local function retention()
  local stored = redis.call("HGET", jobKey, "opts")
  local decoded, options = pcall(cjson.decode, stored or "{}")
  local keep = decoded and type(options) == "table" and options["removeOnFail"]
  if type(keep) == "number" then
    return { count = keep }
  elseif type(keep) == "table" then
    return keep
  elseif keep == true then
    return { count = 0 }
  end
  return { count = -1 }
end

redis.call("LPUSH", KEYS[2], jobId)
redis.call("SET", jobKey .. ":lock", ARGV[5], "PX", 5000)

-- One above what the failure will count, so that `retries-exhausted` is not announced.
local attemptsMade = tonumber(redis.call("HGET", jobKey, "atm")) or 0
moveToFinished(
  { KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10],
    KEYS[11], jobKey, KEYS[13], KEYS[14] },
  { jobId, ARGV[2], "failedReason", ARGV[3], "failed", "", ARGV[4],
    cmsgpack.pack({
      token = ARGV[5],
      keepJobs = retention(),
      attempts = attemptsMade + 2,
      maxMetricsSize = ""
    }),
    ARGV[7] }
)
-- It never ran now, so this was no attempt.
if redis.call("EXISTS", jobKey) == 1 then
  redis.call("HINCRBY", jobKey, "atm", -1)
end
return "cancelled"
