"""The ratios: those with a bar in DESIGN, and the same comparisons in every other scenario."""

import statistics

KIB = 1024
# By scenario and peer: the goal, and what would be better still. Other comparisons are informative.
BARS = {
    ("h1", "relay"): (1.12, 1.03),
    ("h1", "nginx"): (0.95, 0.88),
    ("h1", "haproxy-map"): (0.85, 0.78),
    ("h1", "tollgate-public"): (1.05, 1.02),
    ("conns1", "nginx"): (1.0, 0.9),
    ("conns1000", "nginx"): (1.0, 0.9),
    ("post", "nginx"): (1.0, 0.9),
    ("chunked", "nginx"): (1.0, 0.9),
    ("log", "nginx"): (1.0, 0.9),
    ("tls", "nginx"): (0.85, 0.85),
    ("h2", "nginx"): (0.8, 0.8),
    ("h2", "haproxy"): (0.95, 0.95),
}


def paired(result, of, against, value="cpu_us"):
    """Returns the median of the ratios per round, with the minimum and the maximum."""
    peers = result.get("peers", {})
    if of not in peers or against not in peers:
        return None
    ratios = sorted(a[value] / b[value] for a, b in zip(peers[of]["rounds"], peers[against]["rounds"]) if b[value])
    if not ratios:
        return None
    return {"value": statistics.median(ratios), "least": ratios[0], "greatest": ratios[-1],
            "failed": peers[of]["failed"] + peers[against]["failed"]}


def pooled(result, of, against, value):
    """Returns the ratio of medians, for phases that cannot be interleaved."""
    peers = result.get("peers", {})
    if of not in peers or against not in peers or not peers[against]["median"][value]:
        return None
    ratio = peers[of]["median"][value] / peers[against]["median"][value]
    return {"value": ratio, "failed": peers[of]["failed"] + peers[against]["failed"]}


def _row(scenario, figure, measured, bar=None, stretch=None, unit=""):
    if measured is None:
        return None
    row = {"scenario": scenario, "figure": figure, "unit": unit, "bar": bar, "stretch": stretch} | measured
    row["verdict"] = _verdict(row)
    return row


def _verdict(row):
    if row.get("failed"):
        return "void: requests failed"
    if row["bar"] is None:
        return ""
    if row["value"] <= row["stretch"]:
        return "stretch met"
    return "bar met" if row["value"] <= row["bar"] else "MISSED"


def figures(results):
    rows = []
    for scenario, result in results.items():
        if result.get("kind") == "cpu":
            names = {"relay": "a byte relay", "nginx": "nginx, plain", "haproxy": "HAProxy, plain",
                     "haproxy-map": "HAProxy with a token map", "tollgate-public": "our own public route"}
            for peer, name in names.items():
                bar = BARS.get((scenario, peer), (None, None))
                rows.append(_row(scenario, f"authorised request, CPU against {name}",
                                 paired(result, "tollgate", peer), *bar))
        if scenario == "threads2":
            for peer, bar in (("tollgate", (1.10, 1.05)), ("nginx", (None, None)), ("haproxy-map", (None, None))):
                rows.append(_row(scenario, f"{peer}: two threads against one, CPU a request",
                                 paired(result, f"{peer}-2", f"{peer}-1"), *bar))
        elif scenario == "issue":
            rows.append(_row(scenario, "token issued, client seen before, CPU against a proxied GET",
                             paired(result, "issue", "tollgate"), 0.7, 0.5))
        elif scenario == "journal":
            for kind, name, bar in (("get", "protected GET", (1.01, 1.00)), ("issue", "token issued", (1.15, 1.05))):
                rows.append(_row(scenario, f"{name}: CPU with the journal against memory alone",
                                 paired(result, f"{kind}-journal", f"{kind}-memory"), *bar))
        elif scenario == "flood":
            rows.append(_row(scenario, "p99 of validated traffic during a flood of wrong secrets, against idle",
                             paired(result, "flood", "idle", "p99_us"), 2, 1.2))
            rows.append(_row(scenario, "the same, against as many harmless connections",
                             paired(result, "flood", "control", "p99_us")))
        elif scenario == "expiry":
            # The bar is set for a million tokens; fewer, as with --quick, prove nothing about it.
            issued = result.get("issued", 0)
            rows.append(_row(scenario, f"p99.9 while {issued:,} tokens expire, against none expiring",
                             pooled(result, "expiring", "none", "p999_us"),
                             *((1.5, 1.1) if issued >= 1_000_000 else (None, None))))
        elif scenario in ("idle", "idle-tls") and "tollgate" in result.get("peers", {}):
            each, count = (result["peers"]["tollgate"][key] for key in ("bytes_each", "connections"))
            bars = (6, 3) if scenario == "idle" else (10, 8)
            rows.append(_row(scenario, f"memory an idle kept-alive connection, of {count:,}", {"value": each / KIB},
                             *bars, "KiB"))
    return [row for row in rows if row]
