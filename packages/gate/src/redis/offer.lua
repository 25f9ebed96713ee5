-- What is to be done with one message: send it, keep it, or let it wait behind what drains. The worker counts it.
--
-- KEYS  8 list of the channel
-- ARGV  3 channel   4 message   5 latest time at which an answer is of use, or empty
--       6 lag window   7 retention   8 time to live of a queue (all milliseconds)
--       kept: 9 messages a channel   10 bytes a channel   11 bytes in all
--       waiting: 12 messages a channel   13 bytes a channel
-- Returns one of
--       {'member'}  {'absent'}  {'unknown'}  {'late'}
--       {'full', waiting}
--       {'draining', waiting, 1 if nobody holds the drain, 1 if the state is unknown}
local list, channel, message = KEYS[8], ARGV[3], ARGV[4]
local lag, retention, ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local max_messages, max_bytes, max_total = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])

-- The caller has long sent it: it must not be kept as well.
if ARGV[5] ~= '' and now > tonumber(ARGV[5]) then return {'late'} end

local function queue(is_unknown)
  local waiting = redis.call('LLEN', list)
  local bytes, sum = look_at(list)
  if waiting >= tonumber(ARGV[12]) or bytes + #message > tonumber(ARGV[13]) then return {'full', waiting} end
  push(list, 'q', message, sum)
  redis.call('PEXPIRE', list, ttl)
  local held = redis.call('ZSCORE', DRAINS, channel)
  return {'draining', waiting + 1, tonumber(held) <= now and 1 or 0, is_unknown and 1 or 0}
end

if redis.call('ZSCORE', DRAINS, channel) then return queue(false) end
if not is_fresh() then
  drop_older(list, now - retention)
  if redis.call('EXISTS', list) == 0 then return {'unknown'} end
  start_drain(channel, list, ttl)
  return queue(true)
end
if redis.call('SISMEMBER', SET, channel) == 1 then return {'member'} end

local before, sum, oldest = look_at(list)
local own = before
if oldest and oldest < now - lag then
  drop_older(list, now - lag)
  own, sum = look_at(list)
end

-- Nothing that is still there came more than a retention ago, so this slice of time and the one before hold all of it.
local slice = math.floor(now / retention)
local slices = redis.call('HMGET', VOLUME, text(slice), text(slice - 1))
local kept_in_all = tonumber(slices[1] or 0) + tonumber(slices[2] or 0)
local room = math.min(max_bytes, max_total - kept_in_all + before) - #message
while own > 0 and own > room do own = own - body_bytes(redis.call('LPOP', list)) end
if room >= 0 then
  local length = push(list, 'k', message, sum)
  own = own + #message
  if length > max_messages then own = own - body_bytes(redis.call('LPOP', list)) end
  redis.call('PEXPIRE', list, retention)
  redis.call('ZADD', KEPT, text(now + retention), channel)
end
redis.call('HINCRBY', VOLUME, text(slice), text(own - before))
if not slices[1] then
  for _, old in ipairs(redis.call('HKEYS', VOLUME)) do
    if tonumber(old) < slice - 1 then redis.call('HDEL', VOLUME, old) end
  end
end
return {room >= 0 and 'absent' or 'unknown'}
