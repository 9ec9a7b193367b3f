"""Compares Tollgate with nginx and HAProxy on one machine: `benches/compare/run --help`."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import machine
from chart import chart
from figures import figures
from peers import PEERS, Lab
from process import BenchError
from scenarios import IDLE_CONNECTIONS, SCENARIOS, say

ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(prog="benches/compare/run", description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--scenario", default="h1", metavar="NAME[,…]",
                        help=f"{', '.join(SCENARIOS)}, or all")
    parser.add_argument("--only", metavar="PEER[,…]", help=f"leave the others out: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, help="rounds a scenario (7; 3 with --quick)")
    parser.add_argument("--seconds", type=int, help="seconds a round, whole ones (2; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a first look: fewer, shorter rounds")
    parser.add_argument("--connections", type=int, default=64, help="where the scenario does not say")
    parser.add_argument("--idle-connections", type=int, default=IDLE_CONNECTIONS)
    parser.add_argument("--tokens", type=int, default=1000, help="live tokens in every store, all of them used")
    parser.add_argument("--tries", type=int, default=200, help="tries of each kind in scenario timing")
    parser.add_argument("--expiring", type=int, help="tokens of scenario expiry (1000000; 100000 with --quick)")
    parser.add_argument("--tollgate", type=Path, default=ROOT / "target/release/tollgate")
    parser.add_argument("--relay", type=Path, default=ROOT / "target/release/examples/relay")
    parser.add_argument("--proxy-core", default="0", help="where the proxies run")
    parser.add_argument("--load-core", default="1", help="where load and upstream run")
    parser.add_argument("--second-core", default="2" if (os.cpu_count() or 1) > 2 else "1",
                        help="the second core of scenario threads2")
    parser.add_argument("--out", type=Path, default=ROOT / "target/compare", help="results.json and chart.svg")
    parser.add_argument("--keep", action="store_true", help="keep the folder of configurations and logs")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (1 if options.quick else 2)
    options.expiring = options.expiring or (100_000 if options.quick else 1_000_000)
    if min(options.rounds, options.seconds, options.connections, options.tokens, options.tries) < 1:
        parser.error("rounds, seconds, connections, tokens and tries: at least 1")
    options.scenarios = list(SCENARIOS) if options.scenario == "all" else options.scenario.split(",")
    options.peers = options.only.split(",") if options.only else list(PEERS)
    for name, known in ((options.scenarios, SCENARIOS), (options.peers, PEERS)):
        if unknown := [each for each in name if each not in known]:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    options.peers = [id for id in PEERS if id in options.peers]
    options.tollgate, options.relay = options.tollgate.resolve(), options.relay.resolve()
    return options


def require(options):
    """Reports everything that must be installed, or what is left out."""
    programs = {"taskset", "openssl", "nginx", "wrk"}
    if any(id.startswith("haproxy") for id in options.peers):
        programs.add("haproxy")
    if {"h2", "flood", "expiry"} & set(options.scenarios):
        programs.add("h2load")
    problems = []
    if packages := machine.missing_packages(programs):
        problems.append(f"missing programs; on Debian:  apt-get install {' '.join(packages)}")
    if any(id.startswith("tollgate") for id in options.peers) and not options.tollgate.exists():
        problems.append(f"no {options.tollgate}: cargo build --release  (or --tollgate PATH, or --only without it)")
    if problems:
        raise BenchError("\n  ".join(problems))
    if (os.cpu_count() or 1) < 2:
        raise BenchError("one core only: proxy and load would share it, and the figures would mean nothing")
    left_out = []
    if "nginx-lua" in options.peers and not machine.has_nginx_lua():
        left_out.append(("nginx-lua", "apt-get install libnginx-mod-http-lua"))
    if "relay" in options.peers and not options.relay.exists():
        left_out.append(("relay", "cargo build --release --example relay"))
    for id, remedy in left_out:
        say(f"left out: {PEERS[id].label}; to have it: {remedy}")
        options.peers.remove(id)
    if not options.peers:
        raise BenchError("no peer is left to measure")


def table(name, title, result):
    print(f"\n{name}: {title}")
    if "skipped" in result:
        print(f"  skipped: {result['skipped']}")
    elif result["kind"] == "cpu":
        print(f"  {'':44} {'requests/s':>10} {'CPU µs/req':>10} {'user':>6} {'system':>6} "
              f"{'p50 µs':>8} {'p99 µs':>8} {'p99.9 µs':>8} {'busy':>5}")
        for peer in result["peers"].values():
            each = peer["median"]
            print(f"  {peer['label']:44} {each['rps']:10,.0f} {each['cpu_us']:10.2f} {each['user_us']:6.2f} "
                  f"{each['system_us']:6.2f} {each['p50_us']:8,.0f} {each['p99_us']:8,.0f} "
                  f"{each['p999_us']:8,.0f} {each['busy']:5.0%}{_failed(peer)}")
    elif "compared" in result:
        compared(result)
    elif result["kind"] == "latency":
        for peer in result["peers"].values():
            each = peer["median"]
            print(f"  {peer['label']:44} p50 {each['p50_us']:7,.0f} µs  p99 {each['p99_us']:7,.0f} µs  "
                  f"p99.9 {each['p999_us']:7,.0f} µs{_failed(peer)}")
        for mode, answers in result.get("answers", {}).items():
            print(f"  answers to {mode}: {'; '.join(answers)}")
    else:
        for peer in result["peers"].values():
            print(f"  {peer['label']:44} {peer['bytes_each'] / 1024:8.2f} KiB each over {peer['connections']:,} "
                  f"({peer['before'] / 2**20:.1f} → {peer['after'] / 2**20:.1f} MiB)")


def compared(result):
    """Returns the distributions of scenario timing, and the test of each difference from the first."""
    for peer in result["peers"].values():
        ordered = sorted(peer["times_us"])
        parts = (ordered[int((len(ordered) - 1) * share)] / 1000 for share in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))
        print(f"  {peer['label']:44} {len(ordered)} tries, least to greatest by 5, 25, 50, 75, 95 %: "
              f"{' '.join(f'{part:.2f}' for part in parts)} ms")
    for kind, each in result["compared"].items():
        print(f"  {result['peers'][kind]['label']:44} against an unknown client: medians differ by "
              f"{each['difference_us'] / 1000:+.3f} ms, noise {each['noise_us'] / 1000:.3f} ms, p = {each['p']:.3f}: "
              f"{each['verdict']}")


def _failed(peer):
    return f"   {peer['failed']} FAILED" if peer["failed"] else ""


def print_figures(rows):
    if not rows:
        return
    print("\nRatios (median of the rounds' own ratios; least and greatest in brackets)")
    for row in sorted(rows, key=lambda row: row["bar"] is None):
        spread = f"[{row['least']:.2f}–{row['greatest']:.2f}]" if "least" in row else ""
        goal = f"bar {row['bar']:g}, stretch {row['stretch']:g}" if row["bar"] is not None else ""
        print(f"  {row['scenario']:14} {row['figure']:76} {row['value']:6.2f} {row['unit']:3} {spread:13} "
              f"{goal:24} {row['verdict']}")


def run(options):
    options.open_files = machine.raise_file_limit()
    require(options)
    report = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.facts(options.tollgate),
        "method": {key: getattr(options, key) for key in (
            "rounds", "seconds", "connections", "tokens", "proxy_core", "load_core", "second_core")},
        "scenarios": {},
    }
    facts = report["machine"]
    say(f"{facts['processor']}, {facts['cores']} cores, load {facts['load_at_start']}")
    if facts["load_at_start"] > 0.5:
        say("WARNING: the machine is busy with something else; wait for it, or take these figures for rough ones")
    folder = Path(tempfile.mkdtemp(prefix="compare-"))
    folder.chmod(0o755)  # nginx's worker is another user
    lab = None
    try:
        lab = Lab(options, folder)
        for name in options.scenarios:
            title, scenario = SCENARIOS[name]
            say(f"{name}: {title}")
            report["scenarios"][name] = {"title": title} | scenario(lab)
            table(name, title, report["scenarios"][name])
    finally:
        if lab:
            lab.close()
        if options.keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report["figures"] = figures(report["scenarios"])
    print_figures(report["figures"])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    (options.out / "chart.svg").write_text(chart(report))
    print(f"\nwritten: {options.out / 'results.json'} and chart.svg beside it")


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` stops the servers
    try:
        run(options)
    except BenchError as error:
        say(f"benches/compare: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; everything is stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
