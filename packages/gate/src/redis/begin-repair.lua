-- From now on nothing is known, until a beat names this repair. The count starts anew from the set as it is.
--
-- ARGV  3 name of the repair
redis.call('HSET', GATE, 'ready', 0, 'repair', ARGV[3], 'count', redis.call('SCARD', SET))
return 1
