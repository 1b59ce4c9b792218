--[[
  A job's state, its hash and its place in line, read at one moment.

    KEYS[1..8] as BullMQ's getStateV2: 'completed', 'failed', 'delayed', 'active', 'wait',
               'paused', 'waiting-children', 'prioritized'
    KEYS[9]    job key

    ARGV[1] job id

  Output: { state, flat field list (empty when there is no such job) }, of a job in line followed
          by its position from 1 (nil when that is not known) and the number of running jobs

  BullMQ looks for a job in its list of waiting ones, entry by entry. Beyond a thousand of them
  it is concluded instead that a job which stands nowhere else waits there, so that the answer
  costs the same however long the line is. For the same reason, the position of a job without
  priority is known only to the first thousand; those with a priority, served after all without,
  have a rank that is cheap to ask for.
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

local function position(state, plain)
  if state == "prioritized" then
    return plain + redis.call("ZRANK", KEYS[8], ARGV[1]) + 1
  end
  -- The last of the list is the first to be taken.
  local index = redis.call("LPOS", KEYS[5], ARGV[1], "RANK", -1, "MAXLEN", SEARCHED)
  return index and plain - index
end

local fields = redis.call("HGETALL", KEYS[9])
if #fields == 0 then
  return { "unknown", fields }
end
local plain = redis.call("LLEN", KEYS[5])
local isLong = plain + redis.call("LLEN", KEYS[6]) > SEARCHED
local state = isLong and stateInLongLine() or getStateV2(KEYS, ARGV)
if state == "prioritized" or state == "waiting" then
  return { state, fields, position(state, plain), redis.call("LLEN", KEYS[4]) }
end
return { state, fields }
