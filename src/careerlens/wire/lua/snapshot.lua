--[[
  A job's state and its hash, read at one moment.

    KEYS[1..8] as BullMQ's getStateV2: 'completed', 'failed', 'delayed', 'active', 'wait',
               'paused', 'waiting-children', 'prioritized'
    KEYS[9]    job key

    ARGV[1] job id

  Output: { state, flat field list (empty when there is no such job) }

  BullMQ looks for a job in its list of waiting ones, entry by entry. Beyond a thousand of them
  it is concluded instead that a job which stands nowhere else waits there, so that the answer
  costs the same however long the line is.
]]
--@include getStateV2

local SEARCHED = 1000

local function stateInLongLine()
  local sets = { completed = 1, failed = 2, delayed = 3, prioritized = 8, ["waiting-children"] = 7 }
  for name, place in pairs(sets) do
    if redis.call("ZSCORE", KEYS[place], ARGV[1]) then
      return name
    end
  end
  return redis.call("LPOS", KEYS[4], ARGV[1]) and "active" or "waiting"
end

local fields = redis.call("HGETALL", KEYS[9])
if #fields == 0 then
  return { "unknown", fields }
end
if redis.call("LLEN", KEYS[5]) + redis.call("LLEN", KEYS[6]) > SEARCHED then
  return { stateInLongLine(), fields }
end
return { getStateV2(KEYS, ARGV), fields }
