-- Stands before every script of the gate.
--
-- KEYS  1 the set of occupied channels, which any language may ask with SISMEMBER
--       2 gate      hash: ready, beat, count, newest, floor, offset, repair, leader, leader_until, announcer_until, next_id,
--                   and the counts
--       3 versions  hash: channel -> version of the newest change that was applied
--       4 drains    sorted set: channel -> when its drain may be taken over; 0 where nobody holds it
--       5 owners    hash: channel -> worker that holds its drain
--       6 kept      sorted set: channel -> when its newest kept message is let go
--       7 volume    hash: time slice -> bytes that were kept in it
--       8 ...       list of what waits in a channel, oldest first
-- ARGV  1 now in milliseconds; empty: the clock of Redis
--       2 validity of a heartbeat in milliseconds
--
-- An entry of a list is KIND AT|SUM|ID|BODY without the space. KIND is k (kept), q (queued behind a drain) or o (here the channel
-- became occupied); AT is when it came; SUM is the bytes of all bodies up to this one, so that two entries tell how much lies
-- between them; BODY is the message, or for o the change.
local SET, GATE, VERSIONS, DRAINS, OWNERS, KEPT, VOLUME =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local FIRST_LIST = 8

local function clock_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local now = clock_ms()

-- Lua would write large numbers as 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- A set that somebody emptied, or filled, does not have the size that was counted.
local function is_intact()
  return tonumber(redis.call('HGET', GATE, 'count') or 0) == redis.call('SCARD', SET)
end

local function is_fresh()
  local gate = redis.call('HMGET', GATE, 'ready', 'beat', 'count')
  if gate[1] ~= '1' or not gate[2] or now - tonumber(gate[2]) > tonumber(ARGV[2]) then return false end
  return tonumber(gate[3] or 0) == redis.call('SCARD', SET)
end

local function count(name, difference)
  redis.call('HINCRBY', GATE, name, difference)
end

local function kind_of(entry)
  return string.sub(entry, 1, 1)
end

local function parse(entry)
  local at, sum, id, body = string.match(entry, '^%a(%d+)|(%d+)|(%d+)|()')
  return tonumber(at), tonumber(sum), id, body
end

local function body_bytes(entry)
  local _, _, _, body = parse(entry)
  return #entry - body + 1
end

-- Bytes that wait in a list, the sum that its next entry goes on from, and when its oldest entry came.
local function look_at(list)
  local first = redis.call('LINDEX', list, 0)
  if not first then return 0, 0, nil end
  local at, first_sum, _, body = parse(first)
  local _, last_sum = parse(redis.call('LINDEX', list, -1))
  return last_sum - first_sum + #first - body + 1, last_sum, at
end

-- Puts an entry behind the others, whose sum is known, and returns how many there are then.
local function push(list, kind, body, sum)
  local id = redis.call('HINCRBY', GATE, 'next_id', 1)
  return redis.call('RPUSH', list, kind .. text(now) .. '|' .. text(sum + #body) .. '|' .. text(id) .. '|' .. body)
end

-- Lets go of messages that were kept before a time.
local function drop_older(list, before)
  local first = redis.call('LINDEX', list, 0)
  while first and kind_of(first) ~= 'o' and parse(first) < before do
    redis.call('LPOP', list)
    first = redis.call('LINDEX', list, 0)
  end
end

-- Some worker that has somebody to tell of arrivals has looked in lately.
local function has_announcer()
  return tonumber(redis.call('HGET', GATE, 'announcer_until') or 0) > now
end

local function hold_drain(channel, worker, lease)
  redis.call('ZADD', DRAINS, text(now + lease), channel)
  redis.call('HSET', OWNERS, channel, worker)
end

-- From now on what comes for the channel waits behind what is there. Nobody holds the drain yet.
local function start_drain(channel, list, ttl)
  redis.call('ZADD', DRAINS, 'NX', 0, channel)
  redis.call('ZREM', KEPT, channel)
  redis.call('PEXPIRE', list, ttl)
end
