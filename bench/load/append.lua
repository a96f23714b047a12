if redis.call('SET', KEYS[1], ARGV[1], 'NX') then
  redis.call('XADD', 'journal', '*', 'id', KEYS[1], 'txt', ARGV[1])
  return 1
end
return 0
