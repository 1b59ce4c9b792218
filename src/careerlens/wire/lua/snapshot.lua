--[[
  A job's state and its hash, read at one moment.

    KEYS[1..8] as BullMQ's getStateV2: 'completed', 'failed', 'delayed', 'active', 'wait',
               'paused', 'waiting-children', 'prioritized'
    KEYS[9]    job key

    ARGV[1] job id

  Output: { state, flat field list (empty when there is no such job) }
]]
--@include getStateV2

local fields = redis.call("HGETALL", KEYS[9])
if #fields == 0 then
  return { "unknown", fields }
end
return { getStateV2(KEYS, ARGV), fields }
