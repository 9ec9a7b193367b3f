"""Counts the instructions of one request in the gateway's release binary, and fails if the count grew."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compare"))

import callgrind  # noqa: E402
import machine  # noqa: E402
from callgrind import CountError  # noqa: E402
from peers import fetch_tokens  # noqa: E402
from process import BenchError, Server  # noqa: E402
from traffic import SCENARIOS, STREAMS, Traffic  # noqa: E402

RECORD = HERE / "figures.json"
CONNECTIONS, TOKENS, WARM_UP, REQUESTS = 64, 100, 320, 1920
BOUNDED = ("instructions", "allocations", "locked")
SHOWN = (*BOUNDED, "copies")
GROWTH = 0.03
# How many streams one wakeup of a connection serves, and how many tokens the journal writes at once, depends on
# the machine. README.md has the spread.
GROWTH_OF = {
    ("http2", "locked"): 0.06,
    ("issue", "instructions"): 0.05, ("issue", "allocations"): 0.1, ("issue", "locked"): 0.12,
}
NOISE = 0.1  # of one: a timer that fires once in the window is no growth


def count(binary, scenarios, logged, folder):
    """Returns the figures of `scenarios` from one gateway, with or without an access log."""
    port, http2_port, upstream_port, metrics_port = machine.free_ports(4)
    config = (HERE / "gateway.toml").read_text()
    values = {"PORT": port, "HTTP2_PORT": http2_port, "UPSTREAM_PORT": upstream_port,
              "METRICS_PORT": metrics_port, "ACCESS_LOG": 'access_log = { file = "access.log" }' if logged else ""}
    for name, value in values.items():
        config = config.replace(f"@{name}@", str(value))
    (folder / "gateway.toml").write_text(config)
    traffic = Traffic(upstream_port)
    command = callgrind.command([binary, "run", "--config", folder / "gateway.toml"], folder)
    server = Server("tollgate", command, f"0-{os.cpu_count() - 1}", port, folder / "log", folder)
    try:
        server.wait_ready(60)
        tokens = fetch_tokens(port, TOKENS)
        traffic.connect(port, CONNECTIONS)
        traffic.connect_http2(http2_port, CONNECTIONS // STREAMS)
        callgrind.control(server.process.pid, "--instr=on")
        figures = {}
        for scenario in scenarios:
            to = http2_port if scenario.http2 else port
            traffic.run(scenario, to, tokens, WARM_UP)
            counts = callgrind.window(
                server.process.pid, folder, lambda: traffic.run(scenario, to, tokens, REQUESTS))
            figures[scenario.name] = {name: round(value / REQUESTS, 2) for name, value in counts.items()}
        return figures
    finally:
        traffic.close()
        server.stop()


def grown(figures, recorded):
    """Returns a message for each figure above the recorded one."""
    for name, counts in figures.items():
        for figure in BOUNDED:
            was = recorded.get(name, {}).get(figure)
            growth = GROWTH_OF.get((name, figure), GROWTH)
            if was is not None and counts[figure] > was * (1 + growth) + NOISE:
                yield f"{name}: {figure} {counts[figure]:,} a request; {was:,} is recorded, and {growth:.0%} may vary"


def show(figures, recorded):
    print(f"{'a request':<44}" + "".join(f"{figure:>14}" for figure in SHOWN))
    for scenario in SCENARIOS:
        if scenario.name in figures:
            print(line(scenario.label, figures[scenario.name]))
            if scenario.name in recorded:
                print(line("  recorded", recorded[scenario.name]))


def line(label, counts):
    return f"{label:<44}" + "".join(f"{counts[figure]:>14,.{0 if figure == 'instructions' else 1}f}" for figure in SHOWN)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tollgate", type=Path, default=Path("target/release/tollgate"), metavar="BINARY",
                        help="the release binary (default: %(default)s)")
    parser.add_argument("--only", help="these scenarios, with commas: " + ", ".join(one.name for one in SCENARIOS))
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name} instead of comparing with it")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [scenario.name for scenario in SCENARIOS]
    if not options.tollgate.exists():
        raise CountError(f"there is no {options.tollgate}: cargo build --release")
    for tool in ("valgrind", "callgrind_control", "taskset"):
        if not shutil.which(tool):
            raise CountError(f"there is no {tool}: apt-get install valgrind util-linux")

    figures = {}
    for logged in (False, True):
        scenarios = [one for one in SCENARIOS if one.logged == logged and one.name in wanted]
        if scenarios:
            with tempfile.TemporaryDirectory(prefix="tollgate-count-") as folder:
                figures |= count(options.tollgate.resolve(), scenarios, logged, Path(folder))

    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    recorded = record.get("figures", {})
    show(figures, recorded)
    if options.record:
        rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
        valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True).stdout.strip()
        record = {"built_with": rustc, "counted_with": valgrind, "figures": recorded | figures}
        RECORD.write_text(json.dumps(record, indent=2) + "\n")
        return 0
    more = list(grown(figures, recorded))
    for words in more:
        print(f"GREW: {words}", file=sys.stderr)
    return 1 if more else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, CountError, ConnectionError, TimeoutError) as error:
        print(f"count: {error}", file=sys.stderr)
        sys.exit(2)
