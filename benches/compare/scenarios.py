"""The scenarios. Each starts its own peers, interleaves its rounds and returns plain data."""

import dataclasses
import socket
import ssl
import statistics
import sys
import time

import load
import timing
from peers import OTHER_HASH, PEERS, TOKEN_ENDPOINT, fetch_tokens, form
from process import BenchError

WARM_UP = 1  # seconds; wrk and h2load take whole ones
IDLE_CONNECTIONS = 8_000  # below half of the usual limit of open files, which is what the gateway accepts
PROBE_RATE, FLOOD_RATE = 4000, 400


def say(text):
    print(text, file=sys.stderr, flush=True)


def interleave(options, targets, drive):
    """Interleaves rounds over all targets, each round starting with another one; reads CPU before and after each."""
    rounds = {target.key: [] for target in targets}
    for target in targets:
        drive(target, WARM_UP)
    for number in range(options.rounds):
        shift = number % len(targets)
        for target in targets[shift:] + targets[:shift]:
            before = target.server.cpu()
            result = drive(target, options.seconds)
            user, system = (after - start for after, start in zip(target.server.cpu(), before))
            count = max(1, result["requests"])
            result |= {"user_us": user / count * 1e6, "system_us": system / count * 1e6}
            result["cpu_us"] = result["user_us"] + result["system_us"]
            result["rps"] = result["requests"] / result["seconds"]
            result["busy"] = (user + system) / result["seconds"]
            rounds[target.key].append(result)
        say(f"    round {number + 1} of {options.rounds}")
    return {"kind": "cpu", "peers": {target.key: summary(target, rounds[target.key]) for target in targets}}


def summary(target, rounds):
    medians = {key: statistics.median(each[key] for each in rounds)
               for key in ("rps", "cpu_us", "user_us", "system_us", "busy", "p50_us", "p99_us", "p999_us")}
    return {"label": target.label, "authorises": target.peer.authorises, "rounds": rounds, "median": medians,
            "failed": sum(each["failed"] for each in rounds)}


def _ids(options, tls=False, wanted=None):
    return [id for id in options.peers if (PEERS[id].tls or not tls) and (wanted is None or id in wanted)]


def _measure(lab, ids, drive, **values):
    if not ids:
        return {"skipped": "none of its peers is selected"}
    targets = lab.start(ids, **values)
    try:
        return interleave(lab.options, targets, drive)
    finally:
        lab.stop(targets)


def kept_alive(connections, path="", tls=False):
    def scenario(lab):
        def drive(target, seconds):
            return load.wrk(lab.options.load_core, target.url(path, tls), target.tokens,
                            connections or lab.options.connections, seconds)

        return _measure(lab, _ids(lab.options, tls), drive)
    return scenario


def posting(lab):
    """Requests with a body of 1 KiB and its length; the upstream answers as to a GET."""
    def drive(target, seconds):
        return load.wrk(lab.options.load_core, target.url(), target.tokens, lab.options.connections, seconds,
                        body=1024)

    return _measure(lab, [id for id in _ids(lab.options) if not id.startswith("nginx-auth")], drive)


def logging(lab):
    """The access log on, in those that write one to a file."""
    def drive(target, seconds):
        return load.wrk(lab.options.load_core, target.url(), target.tokens, lab.options.connections, seconds)

    return _measure(lab, _ids(lab.options, wanted=("nginx", "tollgate")), drive,
                    NGINX_ACCESS_LOG="access.log combined buffer=64k flush=1s",
                    LOG='request_id = true\naccess_log = { file = "access.log" }')


def http2(lab):
    def drive(target, seconds):
        return load.h2load(lab.options.load_core, target.url(tls=True), target.token(), lab.folder / "h2load.log",
                           16, seconds, streams=4)

    return _measure(lab, _ids(lab.options, tls=True), drive)


def handshakes(lab):
    def drive(target, seconds):
        return load.helper(lab.options.load_core, "handshake.py", seconds, str(target.ports[1]),
                           target.peer.base, target.token(), "8", str(seconds))

    return _measure(lab, _ids(lab.options, tls=True), drive)


def two_threads(lab):
    """The same number of connections per thread for both, so that each thread has the same work."""
    options = lab.options
    ids = _ids(options, wanted=("nginx", "haproxy", "haproxy-map", "tollgate"))
    if not ids:
        return {"skipped": "none of its peers is selected"}
    one = lab.start(ids)
    two = lab.start(ids, threads=2, cores=f"{options.proxy_core},{options.second_core}")
    for target in one + two:
        target.key = f"{target.peer.id}-{target.threads}"
        target.label = f"{target.peer.label}, {target.threads} thread{'s' if target.threads > 1 else ''}"

    def drive(target, seconds):
        return load.wrk(options.load_core, target.url(), target.tokens, options.connections * target.threads, seconds)

    try:
        return interleave(options, [target for pair in zip(one, two) for target in pair], drive)
    finally:
        lab.stop(one + two)


def issuing(lab):
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    proxied, = lab.start(["tollgate"])
    # One request first: 64 first requests at once would look like a client that fails often until the first
    # hash is done.
    fetch_tokens(proxied.ports[0], 1, "issuer")
    issue = dataclasses.replace(proxied, key="issue", label="Tollgate, token issued")
    proxied.label = "Tollgate, protected GET"

    def drive(target, seconds):
        url, body = proxied.url(), None
        if target is issue:
            url, body = f"http://127.0.0.1:{proxied.ports[0]}{TOKEN_ENDPOINT}", form("issuer")
        return load.wrk(lab.options.load_core, url, target.tokens, lab.options.connections, seconds, body)

    try:
        return interleave(lab.options, [proxied, issue], drive)
    finally:
        lab.stop([proxied])


def journal(lab):
    """The same requests with the journal and with tokens in memory alone."""
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    running = {"journal": lab.start(["tollgate"]), "memory": lab.start(["tollgate"], STORE="memory")}
    targets, issuing = [], set()
    for store, (get,) in running.items():
        fetch_tokens(get.ports[0], 1, "issuer")
        issue = dataclasses.replace(get, key=f"issue-{store}", label=f"token issued, {store}")
        get.key, get.label = f"get-{store}", f"protected GET, {store}"
        issuing.add(issue.key)
        targets += [get, issue]

    def drive(target, seconds):
        url, body = target.url(), None
        if target.key in issuing:
            url, body = f"http://127.0.0.1:{target.ports[0]}{TOKEN_ENDPOINT}", form("issuer")
        return load.wrk(lab.options.load_core, url, target.tokens, lab.options.connections, seconds, body)

    try:
        return interleave(lab.options, targets, drive)
    finally:
        for started in running.values():
            lab.stop(started)


def visibility(lab):
    """The same requests without metrics, log and traces, with each of them, and with all."""
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    metrics = '[metrics]\nlisten = "http://127.0.0.1:0"\n'
    log = 'access_log = { file = "access.log" }'
    # Nothing listens there: the spans are recorded, queued and lost, which costs the serving thread the same.
    traces = '[tracing]\nendpoint = "http://127.0.0.1:9"\nratio = 0.01\n'
    ways = {
        "off": ("nothing on", "request_id = false", ""),
        "metrics": ("metrics and request ids", "request_id = true", metrics),
        "log": ("and the access log", log, metrics),
        "all": ("and traces, 1 % recorded", log, metrics + traces),
    }
    targets = []
    for key, (label, on, tables) in ways.items():
        target, = lab.start(["tollgate"], LOG=on, VISIBILITY=tables)
        target.key, target.label = key, label
        targets.append(target)

    def drive(target, seconds):
        return load.wrk(lab.options.load_core, target.url(), target.tokens, lab.options.connections, seconds)

    try:
        return interleave(lab.options, targets, drive)
    finally:
        lab.stop(targets)


def idle(tls=False):
    """Memory of connections that made one request and then stay open: a new process for each peer."""
    def scenario(lab):
        results = {}
        for id in _ids(lab.options, tls, set(PEERS) - {"tollgate-public"}):  # the same process as tollgate
            target, = lab.start([id])
            try:
                say(f"    {id}")
                # Warms up pools, allocator and code pages before the first reading.
                load.wrk(lab.options.load_core, target.url(tls=tls), target.tokens, 64, WARM_UP)
                # A relay needs two descriptors per connection.
                room = lab.options.open_files // (2 if id == "relay" else 1) - 300
                results[id] = _hold(target, min(lab.options.idle_connections, room), tls)
                results[id] |= {"label": target.label, "authorises": target.peer.authorises}
            finally:
                lab.stop([target])
        return {"kind": "memory", "peers": results}
    return scenario


def _hold(target, count, tls):
    port = target.ports[1 if tls else 0]
    request = (f"GET {target.peer.base} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
               f"Authorization: Bearer {target.token()}\r\n\r\n").encode()
    held, readings = [], []
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect():
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        return context.wrap_socket(connection) if tls else connection

    def ask(connection):
        connection.sendall(request)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise BenchError(f"{target.peer.id}: an idle connection was not answered with 200")

    time.sleep(0.5)
    before = target.server.memory()
    try:
        for wanted in (count // 10, count):
            while len(held) < wanted:
                held.append(connect())
                ask(held[-1])
            # A connection counts as idle after some seconds: before, a proxy may expect the next request.
            time.sleep(6)
            readings.append(target.server.memory())
        # The figure is meaningless if the proxy closed the connections in the meantime.
        for connection in held[:: max(1, count // 200)]:
            ask(connection)
    finally:
        for connection in held:
            connection.close()
    # The first tenth fits into memory that the warm-up left free, so it would flatter the result.
    tenth, after = readings
    return {"connections": count, "before": before, "tenth": tenth, "after": after,
            "bytes_each": (after - tenth) / (count - count // 10)}


def _probe(lab, target, seconds):
    """A moderate fixed rate of validated requests: under full load, p99 would only show the queue."""
    return load.h2load(lab.options.load_core, target.url(), target.token(), lab.folder / "probe.log",
                       32, seconds, rate=PROBE_RATE)


def flood(lab):
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    target, = lab.start(["tollgate"])
    seconds, rounds, answers = max(2, lab.options.seconds), {"idle": [], "control": [], "flood": []}, {}
    try:
        _probe(lab, target, 1)
        for number in range(lab.options.rounds):
            for mode in rounds:
                other = None
                if mode != "idle":
                    other = load.start_helper(lab.options.load_core, "flood.py", mode, target.ports[0],
                                              FLOOD_RATE, seconds + 0.6)
                    time.sleep(0.5)
                try:
                    rounds[mode].append(_probe(lab, target, seconds))
                finally:
                    if other:
                        told, _ = other.communicate(timeout=seconds + 60)
                        answers.setdefault(mode, []).append(told.strip())
            say(f"    round {number + 1} of {lab.options.rounds}")
    finally:
        lab.stop([target])
    return {"kind": "latency", "answers": answers, "peers": _latencies(rounds, {
        "idle": "validated traffic alone",
        "control": f"beside {FLOOD_RATE}/s harmless connections",
        "flood": f"beside {FLOOD_RATE}/s wrong secrets"})}


def refusals(lab):
    """Uses a client with two secrets, so that a search that ends too early would show."""
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    target, = lab.start(["tollgate"], MORE_SECRETS=f', {{ id = "2", hash = "{OTHER_HASH}" }}')
    try:
        # One second per hash would be a very busy machine.
        times = load.helper(lab.options.load_core, "timing.py", len(timing.KINDS) * lab.options.tries,
                            str(target.ports[0]), str(lab.options.tries))
    finally:
        lab.stop([target])
    peers = {kind: {"label": timing.KINDS[kind][0], "authorises": True, "rounds": [], "failed": 0, "times_us": each,
                    "median": load.percentiles(sorted(each))} for kind, each in times.items()}
    compared = {kind: timing.compare(times[kind], times["unknown"]) for kind in times if kind != "unknown"}
    return {"kind": "latency", "peers": peers,
            "compared": {kind: each | {"verdict": timing.verdict(each)} for kind, each in compared.items()}}


def expiry(lab):
    """Many tokens of one lifetime, issued as fast as possible, expire equally fast one lifetime later."""
    if "tollgate" not in lab.options.peers:
        return {"skipped": "tollgate is not selected"}
    wanted = lab.options.expiring
    # Long enough to issue all tokens and measure for a while before the first one expires.
    lifetime = max(15, 90 * wanted // 1_000_000)
    target, = lab.start(["tollgate"], ISSUE_LIFETIME=f"{lifetime}s")
    try:
        fetch_tokens(target.ports[0], 1, "issuer")
        began, issued = time.monotonic(), 0
        endpoint = f"http://127.0.0.1:{target.ports[0]}{TOKEN_ENDPOINT}"
        while issued < wanted:
            if time.monotonic() - began > lifetime * 0.7:
                return {"skipped": f"only {issued:,} tokens were issued within {lifetime * 0.7:.0f} s"}
            issued += load.wrk(lab.options.load_core, endpoint, target.tokens, lab.options.connections, 2,
                               form("issuer"))["requests"]
        took = time.monotonic() - began
        say(f"    {issued:,} tokens issued in {took:.0f} s")
        rounds = {"none": [], "expiring": []}
        while time.monotonic() < began + lifetime - 3:
            rounds["none"].append(_probe(lab, target, 2))
        time.sleep(max(0.0, began + lifetime + 0.2 - time.monotonic()))
        # At least once: a quick run's few tokens expire within one probe.
        while not rounds["expiring"] or time.monotonic() < began + lifetime + took - 2:
            rounds["expiring"].append(_probe(lab, target, 2))
    finally:
        lab.stop([target])
    if not all(rounds.values()):
        return {"skipped": "issuing took so long that no time was left before the first token expired"}
    return {"kind": "latency", "issued": issued, "peers": _latencies(
        rounds, {"none": "no token expires", "expiring": f"{issued:,} expire in {took:.0f} s"})}


def _latencies(rounds, labels):
    return {key: {"label": labels[key], "authorises": True, "rounds": each,
                  "failed": sum(one["failed"] for one in each),
                  "median": {name: statistics.median(one[name] for one in each)
                             for name in ("p50_us", "p99_us", "p999_us")}}
            for key, each in rounds.items()}


SCENARIOS = {
    "h1": ("HTTP/1.1 kept alive, small GET", kept_alive(None)),
    "conns1": ("1 connection, small GET", kept_alive(1)),
    "conns1000": ("1,000 connections, small GET", kept_alive(1000)),
    "body64k": ("64 KiB bodies", kept_alive(None, "/files/64k")),
    "body1m": ("1 MiB bodies", kept_alive(None, "/files/1m")),
    "post": ("bodies of 1 KiB in requests, with a length", posting),
    "chunked": ("chunked responses of 4 KiB", kept_alive(None, "/files/chunked")),
    "log": ("small GET with the access log on", logging),
    "tls": ("TLS kept alive, small GET", kept_alive(None, tls=True)),
    "tls-handshake": ("TLS, a new full handshake for each request", handshakes),
    "h2": ("HTTP/2 over TLS, 16 connections of 4 streams", http2),
    "idle": ("idle kept-alive connections", idle()),
    "idle-tls": ("idle kept-alive connections over TLS", idle(tls=True)),
    "threads2": ("two threads against one", two_threads),
    "issue": ("issuing tokens", issuing),
    "journal": ("the journal, on and off", journal),
    "visibility": ("metrics, access log and traces, on and off", visibility),
    "flood": ("a flood of wrong secrets", flood),
    "timing": ("refusals by their reason: how long each takes", refusals),
    "expiry": ("many tokens expire", expiry),
}
