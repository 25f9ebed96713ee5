-- Applies changes of channels: each that is newer than what is held, in one step with the set and what was kept.
--
-- KEYS  8 ... list of the channel of each change
-- ARGV  3 worker   4 1 if it announces   5 lease   6 time to live of a queue   7 skew of clocks (milliseconds)
--       then for each change: channel, what, version, when it happened by the server's clock, the change as JSON
--       what is o (occupied), v (vacated), s (occupied in a snapshot), or a (absent from a snapshot: its version is the
--       snapshot's position)
-- Returns the channels that have something to drain.
local worker, announces = ARGV[3], ARGV[4] == '1'
local lease, ttl, skew = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local is_announced = announces or has_announcer()
local gate = redis.call('HMGET', GATE, 'floor', 'newest', 'offset', 'count')
local floor, newest = tonumber(gate[1] or 0), tonumber(gate[2] or 0)
local offset, size = tonumber(gate[3] or 0), tonumber(gate[4] or 0)
local newest_text = gate[2] or '0'
local drained = {}

local function occupy(channel, list, occurred, change)
  local added = redis.call('SADD', SET, channel)
  if added == 0 then return end
  size = size + 1
  if not redis.call('ZSCORE', DRAINS, channel) then drop_older(list, occurred - offset - skew) end
  redis.call('ZREM', KEPT, channel)
  if is_announced then
    local _, sum = look_at(list)
    push(list, 'o', change, sum)
  end
  if redis.call('EXISTS', list) == 0 then return end
  start_drain(channel, list, ttl)
  -- Others would settle the arrival without a word.
  if announces and redis.call('ZSCORE', DRAINS, channel) == '0' then hold_drain(channel, worker, lease) end
  drained[#drained + 1] = channel
end

for i = FIRST_LIST, #KEYS do
  local at = 8 + (i - FIRST_LIST) * 5
  local channel, what, version, occurred, change = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local held = redis.call('HGET', VERSIONS, channel)
  local is_newer
  if what == 'a' or what == 's' then
    -- A snapshot knows more than the floor, and says under a version that is held what the set may have lost.
    is_newer = tonumber(version) >= tonumber(held or 0)
  else
    is_newer = tonumber(version) > (held and tonumber(held) or floor)
  end
  if is_newer then
    redis.call('HSET', VERSIONS, channel, version)
    if tonumber(version) > newest then
      newest = tonumber(version)
      newest_text = version
    end
    if what == 'o' or what == 's' then
      occupy(channel, KEYS[i], tonumber(occurred), change)
    else
      size = size - redis.call('SREM', SET, channel)
    end
  end
end
redis.call('HSET', GATE, 'newest', newest_text, 'count', text(size))
return drained
