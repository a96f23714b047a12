-- What wrk sends, and the one line of JSON that it prints in the end. The body is in BODY.
wrk.method = 'POST'
wrk.body = os.getenv('BODY')
wrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"answeredCount":%d,"durationUs":%d,"medianUs":%d,"p99Us":%d,"failedCount":%d}\n',
    summary.requests,
    summary.duration,
    latency:percentile(50),
    latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
