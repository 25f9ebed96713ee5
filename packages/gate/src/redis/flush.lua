-- What is known is not fresh: what was kept of these channels is to be sent first.
--
-- KEYS  8 ... list of each channel
-- ARGV  3 time to live of a queue   4 retention (milliseconds), then the channels
-- Returns the channels that have something to drain.
local drained = {}
if is_fresh() then return drained end
for i = FIRST_LIST, #KEYS do
  local channel = ARGV[5 + i - FIRST_LIST]
  drop_older(KEYS[i], now - tonumber(ARGV[4]))
  if redis.call('EXISTS', KEYS[i]) == 1 then
    start_drain(channel, KEYS[i], ARGV[3])
    drained[#drained + 1] = channel
  end
end
return drained
