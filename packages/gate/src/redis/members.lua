-- Some of the occupied channels.
--
-- ARGV  3 where to go on; 0 to begin   4 how many, about
-- Returns {where to go on, 0 at the end; channels}
return redis.call('SSCAN', SET, ARGV[3], 'COUNT', ARGV[4])
