-- The load: every request carries the next token of the list. Requests are built once, before the clock runs.
-- BENCH_TOKENS: a file with one token a line. BENCH_FORM: POST this form instead (then no token is sent).
-- BENCH_BODY: POST a body of so many bytes with each token; 0 for GET.
local requests, last = {}, 0

function init()
    local form = os.getenv("BENCH_FORM")
    if form then
        local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
        requests[1] = wrk.format("POST", nil, headers, form)
        return
    end
    local size = tonumber(os.getenv("BENCH_BODY") or "0")
    for token in io.lines(os.getenv("BENCH_TOKENS")) do
        local headers = { Authorization = "Bearer " .. token }
        if size > 0 then
            headers["Content-Type"] = "text/plain"
            requests[#requests + 1] = wrk.format("POST", nil, headers, ("x"):rep(size))
        else
            requests[#requests + 1] = wrk.format("GET", nil, headers)
        end
    end
end

function request()
    last = last % #requests + 1
    return requests[last]
end

-- One line that compare.py reads.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'BENCH {"requests":%d,"seconds":%.6f,"failed":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d}\n',
        summary.requests, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
