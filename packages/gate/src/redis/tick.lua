-- A worker looks in: who leads, whether what is known is fresh, and what there is to drain.
--
-- ARGV  3 worker   4 1 if it announces   5 lease of a drain   6 how long it leads, 0 to give up leading (milliseconds)
--       7 channels at once   8 to 10 differences of the counts sent, saved, failed_open that only this worker knows
-- Returns {now, 1 if this worker leads, 1 if fresh, sent, saved, caught_up, failed_open,
--          channels whose drain nobody holds, channels with kept messages if not fresh}
local worker, leads_for, limit = ARGV[3], tonumber(ARGV[6]), tonumber(ARGV[7])
if ARGV[4] == '1' then redis.call('HSET', GATE, 'announcer_until', text(now + tonumber(ARGV[5]))) end
for i, name in ipairs({'sent', 'saved', 'failed_open'}) do
  if ARGV[7 + i] ~= '0' then count(name, ARGV[7 + i]) end
end

local leader = redis.call('HMGET', GATE, 'leader', 'leader_until')
local leads = not leader[1] or leader[1] == worker or tonumber(leader[2] or 0) <= now
if leads then redis.call('HSET', GATE, 'leader', worker, 'leader_until', text(now + leads_for)) end

redis.call('ZREMRANGEBYSCORE', KEPT, '-inf', text(now))
local fresh = is_fresh()
local unclaimed = redis.call('ZRANGEBYSCORE', DRAINS, '-inf', text(now), 'LIMIT', 0, limit)
local kept = fresh and {} or redis.call('ZRANGE', KEPT, 0, limit - 1)
local counts = redis.call('HMGET', GATE, 'sent', 'saved', 'caught_up', 'failed_open')
return {
  text(now), leads and 1 or 0, fresh and 1 or 0,
  counts[1] or '0', counts[2] or '0', counts[3] or '0', counts[4] or '0',
  unclaimed, kept,
}
