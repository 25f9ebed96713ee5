-- The server has just said that the feed is not behind: what is known stays fresh, or is fresh again after a repair.
--
-- ARGV  3 how long ago it was asked in milliseconds   4 its clock less that of Redis, or empty
--       5 newest version that this worker has seen held here   6 name of the repair that a snapshot has ended, or empty
-- Returns {1 if fresh, newest version that is held, the clock of Redis}
local gate = redis.call('HMGET', GATE, 'newest', 'repair')
local newest = gate[1] or '0'
local fresh
if ARGV[6] == '' then
  -- Less than was held before: this Redis was restored, or took over without the last writes.
  fresh = is_fresh() and tonumber(newest) >= tonumber(ARGV[5])
else
  fresh = gate[2] == ARGV[6] and is_intact()
end
redis.call('HSET', GATE, 'ready', fresh and 1 or 0)
if fresh then
  redis.call('HDEL', GATE, 'repair')
  redis.call('HSET', GATE, 'beat', text(now - tonumber(ARGV[3])))
  if ARGV[4] ~= '' then redis.call('HSET', GATE, 'offset', ARGV[4]) end
end
return {fresh and 1 or 0, newest, text(now)}
