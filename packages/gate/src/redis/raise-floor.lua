-- Changes at or below the floor are stale for a channel without a version; so versions of channels that are not occupied need
-- not be remembered when they say no more than that.
--
-- ARGV  3 floor   4 where to go on; 0 to begin   5 how many, about
-- Returns where to go on, 0 at the end.
local floor = redis.call('HGET', GATE, 'floor')
if not floor or tonumber(floor) < tonumber(ARGV[3]) then redis.call('HSET', GATE, 'floor', ARGV[3]) end
local newest = redis.call('HGET', GATE, 'newest')
if not newest or tonumber(newest) < tonumber(ARGV[3]) then redis.call('HSET', GATE, 'newest', ARGV[3]) end
local page = redis.call('HSCAN', VERSIONS, ARGV[4], 'COUNT', ARGV[5])
for i = 1, #page[2], 2 do
  local channel, version = page[2][i], page[2][i + 1]
  if tonumber(version) <= tonumber(ARGV[3]) and redis.call('SISMEMBER', SET, channel) == 0 then
    redis.call('HDEL', VERSIONS, channel)
  end
end
return page[1]
