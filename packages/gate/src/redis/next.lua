-- Takes or keeps the drain of a channel, and looks at what waits first.
--
-- KEYS  8 list of the channel
-- ARGV  3 worker   4 1 if it announces   5 lease   6 time to live of a queue (milliseconds)
--       7 channel   8 id of the entry that is done, or empty   9 1 if it was sent   10 1 to give the drain back
-- Returns {'over'}, {'lost'} where another worker holds it or is to take it, or {kind, id, body}.
local list, worker, announces, channel = KEYS[8], ARGV[3], ARGV[4] == '1', ARGV[7]
local done, gives_back = ARGV[8], ARGV[10] == '1'
local held_until = redis.call('ZSCORE', DRAINS, channel)
if not held_until then return {'over'} end
local owner = redis.call('HGET', OWNERS, channel)
if owner ~= worker and (tonumber(held_until) > now or done ~= '' or gives_back) then return {'lost'} end

local function give_back()
  redis.call('ZADD', DRAINS, 0, channel)
  redis.call('HDEL', OWNERS, channel)
  return {'lost'}
end

if gives_back then return give_back() end

local first = redis.call('LINDEX', list, 0)
if first and done ~= '' then
  local _, _, id = parse(first)
  if id == done then
    redis.call('LPOP', list)
    local kind, is_sent = kind_of(first), ARGV[9] == '1'
    if kind == 'k' and is_sent then
      count('sent', 1)
      count('saved', -1)
      count('caught_up', 1)
    elseif kind == 'q' and not is_sent then
      count('sent', -1)
    end
    first = redis.call('LINDEX', list, 0)
  end
end
if not first then
  redis.call('ZREM', DRAINS, channel)
  redis.call('HDEL', OWNERS, channel)
  return {'over'}
end
if kind_of(first) == 'o' and not announces and has_announcer() then return give_back() end
hold_drain(channel, worker, tonumber(ARGV[5]))
redis.call('PEXPIRE', list, ARGV[6])
local _, _, id, body = parse(first)
return {kind_of(first), id, string.sub(first, body)}
