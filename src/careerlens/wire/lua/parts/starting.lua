-- What taking a job is, whether alone or after ending another: as moveToActive and moveToFinished
-- do it where neither a limit nor a pause is set.

-- The first in line of those with a priority, which is moved among the running; nil for none.
local function nextPrioritized(prioritizedKey, activeKey, counterKey)
  local jobId = redis.call("ZPOPMIN", prioritizedKey)[1]
  if jobId then
    redis.call("LPUSH", activeKey, jobId)
  else
    redis.call("DEL", counterKey)
  end
  return jobId
end

-- Lock a job that stands among the running, tell that it runs, and read it.
local function started(jobId, prefix, now, eventsKey, markerKey, token, lockMs, worker)
  local call, jobKey = redis.call, prefix .. jobId
  call("SET", jobKey .. ":lock", token, "PX", lockMs)
  call("XADD", eventsKey, "*", "event", "active", "jobId", jobId, "prev", "waiting")
  if worker == "" then
    call("HSET", jobKey, "processedOn", now)
  else
    call("HSET", jobKey, "processedOn", now, "pb", worker)
  end
  call("HINCRBY", jobKey, "ats", "1")
  call("ZADD", markerKey, "0", "0")
  return { call("HGETALL", jobKey), jobId, 0, 0 }
end

-- What is answered where nothing is in line, but a delayed job will be; nil where there is none.
local function nextDue(delayedKey)
  local score = redis.call("ZRANGE", delayedKey, 0, 0, "WITHSCORES")[2]
  return score and { 0, 0, 0, score / 0x1000 }
end
