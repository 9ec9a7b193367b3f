"""The traffic of one process: its requests, and the expected responses."""

import json
import queue
import random
import socket
import time
from collections import deque

COUNTERS = ["requests", "issued", "used", "expired", "revoked", "introspected", "refused", "errors"]
LIFETIMES = {"brief": 2.0, "long": 30.0}
# A token lives its lifetime to within 100 ms; beyond twice that it must be refused.
SLACK = 0.2
# Requests on one connection before it is renewed.
RENEWED_AFTER = 5_000
KEPT = 2_000


class Token:
    """A token and its history, by this process's monotonic clock."""

    def __init__(self, text, lifetime, asked, answered):
        self.text = text
        # It was issued between the request and the response.
        self.surely_until, self.never_after = asked + lifetime - SLACK, answered + lifetime + SLACK
        self.revoked_at = None
        self.revoking = False

    def verdict(self, sent, received):
        """Returns whether it must be accepted (True), refused (False), or either (None), for a request at this time."""
        if self.revoked_at is not None and sent >= self.revoked_at:
            return False
        if self.revoking:
            return None
        if sent > self.never_after:
            return False
        return True if received < self.surely_until else None


class Connection:
    """A persistent connection with at most one request in flight."""

    def __init__(self, port):
        self.port, self.socket = port, None
        self.renew()

    def renew(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.asked = b"", 0

    def send(self, request):
        self.asked += 1
        self.sent = time.monotonic()
        self.socket.sendall(request)

    def receive(self):
        """Returns status and body."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        head = self.buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(self.buffer) < end + 4 + length:
            self._fill()
        body, self.buffer = self.buffer[end + 4:end + 4 + length], self.buffer[end + 4 + length:]
        return int(head[9:12]), body

    def _fill(self):
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionError("closed in the middle of an answer")
        self.buffer += more


def get(token):
    field = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET /hello_world HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode()


def form(path, client, fields):
    body = f"client_id={client}&client_secret=Password1&{fields}"
    return (f"POST /oauth/v2/oauth-{path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


class Traffic:
    def __init__(self, seed, counts, errors):
        self.random = random.Random(seed)
        self.counts, self.errors = counts, errors
        self.tokens = {client: deque(maxlen=KEPT) for client in LIFETIMES}

    def count(self, name):
        self.counts[COUNTERS.index(name)] += 1

    def wrong(self, what):
        self.count("errors")
        try:
            self.errors.put_nowait(what)
        except queue.Full:
            pass

    def pick(self):
        """Returns a client and one of its tokens, young or old; None if there is no token yet."""
        client = self.random.choice(("brief", "long"))
        tokens = self.tokens[client]
        if not tokens:
            return client, None
        # Mostly the newest tokens, which are live; the others test refusals.
        at = -1 - int(self.random.random() ** 8 * len(tokens))
        return client, tokens[at]

    def next(self):
        """Sends a request. The response is handled as (status, body, sent, received)."""
        dice = self.random.random()
        client, token = self.pick()
        if token is None or dice < 0.04:
            return form("token", client, "grant_type=client_credentials&scope=read"), lambda *a: self.issued(client, *a)
        if dice < 0.06:
            # An older one, or no live token would be left.
            token = self.random.choice(self.tokens[client])
            token.revoking = True
            return form("revoke", client, f"token={token.text}"), lambda *a: self.revoked(token, *a)
        if dice < 0.10:
            return form("introspect", client, f"token={token.text}"), lambda *a: self.introspected(token, *a)
        if dice < 0.12:
            unknown = "" if dice < 0.11 else "tg_" + "x" * 49
            return get(unknown), self.refused
        return get(token.text), lambda *a: self.used(token, *a)

    def issued(self, client, status, body, sent, received):
        self.count("issued")
        if status != 200:
            return self.wrong(f"issuing: {status} {body[:200]!r}")
        self.tokens[client].append(Token(json.loads(body)["access_token"], LIFETIMES[client], sent, received))

    def revoked(self, token, status, body, _sent, received):
        self.count("revoked")
        if status != 200:
            return self.wrong(f"revoking: {status} {body[:200]!r}")
        token.revoked_at = token.revoked_at or received

    def used(self, token, status, body, sent, received):
        self.count("used")
        opens = token.verdict(sent, received)
        if opens is False:
            self.count("expired")
        wanted = {True: (200,), False: (401,), None: (200, 401)}[opens]
        if status not in wanted:
            self.wrong(f"using: {status} instead of {wanted}, {received - sent:.3f} s: {body[:200]!r}")

    def introspected(self, token, status, body, sent, received):
        self.count("introspected")
        active = status == 200 and json.loads(body).get("active")
        opens = token.verdict(sent, received)
        if status != 200 or (opens is not None and active != opens):
            self.wrong(f"introspecting: {status} {body[:200]!r} instead of {opens}")

    def refused(self, status, body, _sent, _received):
        self.count("refused")
        if status != 401:
            self.wrong(f"a bad token: {status} {body[:200]!r}")


def worker(port, connections, seed, stop, counts, errors):
    """Sends on all connections at once, and checks the responses in turn, until stopped."""
    import signal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    traffic = Traffic(seed, counts, errors)
    lines = [Connection(port) for _ in range(connections)]
    while not stop.is_set():
        waiting = []
        for line in lines:
            if line.asked >= RENEWED_AFTER:
                line.renew()
            request, answered = traffic.next()
            try:
                line.send(request)
                waiting.append((line, answered))
            except OSError as error:
                traffic.wrong(f"sending: {error!r}")
                line.renew()
        for line, answered in waiting:
            try:
                status, body = line.receive()
            except (OSError, ValueError) as error:
                traffic.wrong(f"no answer: {error!r}")
                line.renew()
                continue
            traffic.count("requests")
            answered(status, body, line.sent, time.monotonic())
