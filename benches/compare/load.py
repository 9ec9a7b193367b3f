"""The load generators, pinned to the load's core, and what they report."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from process import BenchError

HERE = Path(__file__).resolve().parent


def _run(core, command, seconds, environment=None):
    try:
        done = subprocess.run(
            ["taskset", "-c", core, *map(str, command)], capture_output=True, text=True,
            timeout=seconds + 30, env=os.environ | (environment or {}), stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end: {' '.join(map(str, command))}") from None
    if done.returncode != 0:
        raise BenchError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def wrk(core, url, tokens, connections, seconds, form=None, body=0):
    """Closed loop: every connection sends its next request after the response to the last."""
    environment = {"BENCH_TOKENS": str(tokens), "BENCH_BODY": str(body)} | ({"BENCH_FORM": form} if form else {})
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency",
               "-s", HERE / "templates" / "request.lua", url]
    for line in _run(core, command, seconds, environment).splitlines():
        if line.startswith("BENCH "):
            return json.loads(line[6:])
    raise BenchError(f"wrk reported nothing for {url}")


def h2load(core, url, token, log, clients, seconds, streams=None, rate=None):
    """Closed loop over `clients` connections; with `rate`, that many requests a second in all, over HTTP/1.1.

    One token for all requests: h2load cannot change a header from request to request.
    """
    log.unlink(missing_ok=True)  # h2load appends
    command = ["h2load", "-c", clients, "-H", f"Authorization: Bearer {token}", f"--log-file={log}"]
    if rate:
        command += ["--h1", "--rps", max(1, rate // clients), "-n", int(rate * seconds)]
    else:
        command += ["-m", streams, "-D", seconds]
    output = _run(core, [*command, url], seconds)
    requests = re.search(r"requests: (\d+) total.* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    finished = re.search(r"finished in ([\d.]+)(us|ms|s)", output)
    if not requests or not finished:
        raise BenchError(f"h2load reported nothing for {url}: {output.strip()[-300:]}")
    total, succeeded = int(requests[1]), int(requests[2])
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1}[finished[2]]
    with open(log) as lines:
        latencies = sorted(int(line.split("\t")[2]) for line in lines)
    log.unlink()
    return {
        "requests": succeeded,
        "seconds": float(finished[1]) * unit,
        "failed": total - succeeded,
    } | percentiles(latencies)


def helper(core, script, seconds, *arguments):
    """Runs one of the small Python clients in this directory; it prints one line of JSON."""
    return json.loads(_run(core, [sys.executable, "-B", HERE / script, *arguments], seconds))


def start_helper(core, script, *arguments):
    command = ["taskset", "-c", core, sys.executable, "-B", HERE / script, *map(str, arguments)]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def percentiles(ordered):
    if not ordered:
        return {"p50_us": 0, "p99_us": 0, "p999_us": 0}
    pick = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
    return {"p50_us": pick(0.5), "p99_us": pick(0.99), "p999_us": pick(0.999)}
