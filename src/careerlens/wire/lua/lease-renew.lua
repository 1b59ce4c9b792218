--[[
  Hold a lease for longer, if it is still ours.

    KEYS[1]  lease
    ARGV[1]  token
    ARGV[2]  duration from now (ms)

  Output: 1 held, 0 lost
]]
if redis.call("GET", KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])
