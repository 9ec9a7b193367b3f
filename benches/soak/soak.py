"""Traffic and token churn for a while, then checks of memory, descriptors and every response."""

import argparse
import json
import multiprocessing
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from traffic import COUNTERS, worker

ROOT = Path(__file__).resolve().parents[2]
# The tutorial's secret, Password1.
HASH = "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8"
CONFIG = f"""
[server]
listen = ["http://127.0.0.1:0"]
[scopes]
read = "Read"
[clients.brief]
secret = "{HASH}"
capabilities = ["client_credentials", "introspection"]
scopes = ["read"]
token_lifetime = "2s"
[clients.long]
secret = "{HASH}"
capabilities = ["client_credentials", "introspection"]
scopes = ["read"]
token_lifetime = "30s"
[upstreams.api]
servers = ["http://127.0.0.1:DEMO"]
[[routes]]
path = "/hello_world"
scopes = ["read"]
upstream = "api"
[demo]
listen = "127.0.0.1:DEMO"
"""


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """The process under test."""

    def __init__(self, binary, folder):
        (folder / "gateway.toml").write_text(CONFIG.replace("DEMO", str(free_port())))
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "run", "--config", str(folder / "gateway.toml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder,
                env={**os.environ, "NO_COLOR": "1"},
            )

    def port(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                if "listening on http://127.0.0.1:" in line:
                    return int(line.rsplit(":", 1)[1])
            time.sleep(0.05)
        raise SystemExit(f"the gateway does not start:\n{self.log.read_text()}")

    def rss(self):
        """Returns the resident memory in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def complaints(self):
        said = ("WARN", "ERROR", "panicked")
        # The client connects directly, so the warning about the plain listener is expected.
        return [line for line in self.log.read_text().splitlines() if any(word in line for word in said)]

    def end(self):
        """Stops with SIGTERM and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, epilog="See README.md beside this file.")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--binary", default=str(ROOT / "target/release/tollgate"), help="the gateway")
    parser.add_argument("--processes", type=int, default=2, help="processes that ask (default 2)")
    parser.add_argument("--connections", type=int, default=16, help="connections of each (default 16)")
    parser.add_argument("--json", metavar="FILE", help="write the samples and the verdict there, too")
    chosen = parser.parse_args()
    if not os.access(chosen.binary, os.X_OK):
        parser.error(f"{chosen.binary} is not there: cargo build --release, or --binary")
    return chosen


def judge(samples, totals, gateway, code, before):
    """Returns what is wrong, one line each."""
    wrong = []
    if totals["errors"]:
        wrong.append(f"{totals['errors']} answers that the traffic did not deserve")
    if totals["expired"] == 0 or totals["revoked"] == 0:
        wrong.append("no token expired, or none was revoked: too short a run to say anything")
    quarter = len(samples) // 4
    if quarter:
        second, last = samples[quarter:2 * quarter], samples[-quarter:]
        early, late = (statistics.median(s["rss"] for s in part) for part in (second, last))
        print(f"memory: {early:.1f} MiB in the second quarter, {late:.1f} MiB in the last")
        if late > early * 1.05 + 2:
            wrong.append("memory grows")
        if max(s["descriptors"] for s in last) > max(s["descriptors"] for s in second) + 8:
            wrong.append("descriptors grow")
    new = [line for line in gateway.complaints() if line not in before]
    wrong += [f"logged: {line}" for line in new[:5]]
    if code != 0:
        wrong.append(f"exit code {code} after SIGTERM")
    return wrong


def main():
    chosen = arguments()
    seconds = chosen.minutes * 60
    interval = max(1, min(10, seconds / 40))
    with tempfile.TemporaryDirectory(prefix="tollgate-soak-") as folder:
        gateway = Gateway(os.path.abspath(chosen.binary), Path(folder))
        workers, code = [], None
        try:
            port, before = gateway.port(), gateway.complaints()
            stop, errors = multiprocessing.Event(), multiprocessing.Queue(100)
            counts = [multiprocessing.Array("Q", len(COUNTERS), lock=False) for _ in range(chosen.processes)]
            workers = [
                multiprocessing.Process(target=worker, args=(port, chosen.connections, n, stop, counts[n], errors), daemon=True)
                for n in range(chosen.processes)
            ]
            for one in workers:
                one.start()
            totals = lambda: {name: sum(c[i] for c in counts) for i, name in enumerate(COUNTERS)}
            print(f"{'time':>6} {'requests/s':>11} {'issued':>9} {'MiB':>8} {'fds':>5} {'errors':>7}", flush=True)
            samples, started, last = [], time.monotonic(), 0
            while (elapsed := time.monotonic() - started) < seconds:
                time.sleep(min(interval, seconds - elapsed))
                if gateway.process.poll() is not None:
                    break
                now, elapsed_before = totals(), elapsed
                elapsed = time.monotonic() - started
                rate = (now["requests"] - last) / (elapsed - elapsed_before)
                last = now["requests"]
                samples.append({"at": elapsed, "rate": rate, "rss": gateway.rss(), "descriptors": gateway.descriptors(), **now})
                s = samples[-1]
                print(f"{elapsed:5.0f}s {rate:11.0f} {s['issued']:9} {s['rss']:8.1f} {s['descriptors']:5} {s['errors']:7}", flush=True)
                if not all(one.is_alive() for one in workers):
                    raise SystemExit("a process that asks has ended: see above")
            stop.set()
            for one in workers:
                one.join(15)
            code = gateway.end()
            totals = totals()
            while True:
                try:
                    print("undeserved:", errors.get(timeout=0.2))
                except queue.Empty:
                    break
            wrong = judge(samples, totals, gateway, code, before)
        finally:
            for one in workers:
                one.terminate()
            if gateway.process.poll() is None:
                gateway.process.kill()
            gateway.process.wait()
    print(", ".join(f"{name} {count}" for name, count in totals.items()))
    print("PASS: memory flat, every answer deserved" if not wrong else "\n".join(["FAIL"] + wrong))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps({"samples": samples, "totals": totals, "wrong": wrong}, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
