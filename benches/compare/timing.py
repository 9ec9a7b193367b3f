"""How long refusals take, by their reason: timing.py PORT TRIES.

An unknown client and a wrong secret get the same bytes; they should also get them after the same time, or the time would
tell who is a client. One try of each kind makes a round, in random order, each over a new connection from another
loopback address, because the throttle would answer for the hash otherwise. Prints the microseconds of each try.
"""

import json
import random
import socket
import statistics
import sys
import time
import urllib.parse

# The client and secret of each request. The right secret is the harder case: finding it must not end the
# search early.
RIGHT, WRONG = "bench-secret-not-for-production", "wrong-secret-not-for-production"
KINDS = {
    "unknown": ("an unknown client", "nobody", RIGHT),
    "wrong": ("a wrong secret", "bench", WRONG),
    "disabled": ("a disabled client, its secret right", "disabled", RIGHT),
    "expired": ("a secret that was right until it expired", "expired", RIGHT),
}
PERMUTATIONS = 10_000
# This share of the differences that occur by chance counts as noise.
NOISE = 0.99


def request(port, client, secret):
    body = urllib.parse.urlencode(
        {"grant_type": "client_credentials", "client_id": client, "client_secret": secret})
    return (f"POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def refusal(port, message):
    address = f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}"
    with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0)) as plain:
        began = time.perf_counter_ns()
        plain.sendall(message)
        status = plain.recv(4096)[9:12]
        took = time.perf_counter_ns() - began
    if status != b"401":
        raise SystemExit(f"a try was answered with {status.decode('ascii', 'replace')}, not 401")
    return took / 1000


def measure(port, tries):
    messages = {kind: request(port, client, secret) for kind, (_, client, secret) in KINDS.items()}
    times = {kind: [] for kind in KINDS}
    for round in range(tries + 5):
        order = list(KINDS)
        random.shuffle(order)
        for kind in order:
            took = refusal(port, messages[kind])
            if round >= 5:  # the first few warm up
                times[kind].append(took)
    return times


def compare(one, other):
    """Whether two kinds differ in their medians by more than chance: a permutation test.

    What belongs together is a round, whose tries saw the same load, so labels are only exchanged within rounds.
    """
    observed = statistics.median(one) - statistics.median(other)
    chance, pairs = [], list(zip(one, other))
    for _ in range(PERMUTATIONS):
        swapped = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
        chance.append(abs(statistics.median(a for a, _ in swapped) - statistics.median(b for _, b in swapped)))
    chance.sort()
    as_large = sum(difference >= abs(observed) for difference in chance)
    return {"difference_us": observed, "noise_us": chance[int(len(chance) * NOISE)],
            "p": (as_large + 1) / (len(chance) + 1)}


def verdict(compared):
    return "TELLS THEM APART" if compared["p"] < 1 - NOISE else "within the noise"


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
