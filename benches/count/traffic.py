"""Clients and upstream in one loop: every client sends its next request when the response to the last is there."""

import selectors
import socket
from dataclasses import dataclass

HEAD = (b"HTTP/1.1 200 OK\r\nServer: legacy\r\nDate: Fri, 27 Nov 2026 08:00:00 GMT\r\n"
        b"Content-Type: text/plain\r\n")
TIMEOUT = 60


@dataclass(frozen=True)
class Scenario:
    """One kind of request and what the upstream answers it with."""

    name: str
    label: str
    request: bytes  # @PORT@ and @TOKEN@ are filled in
    response: bytes
    logged: bool = False


GET = (b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:@PORT@\r\nAuthorization: Bearer @TOKEN@\r\n"
       b"User-Agent: count/1\r\nAccept: */*\r\n\r\n")
POST = (b"POST /hello HTTP/1.1\r\nHost: 127.0.0.1:@PORT@\r\nAuthorization: Bearer @TOKEN@\r\n"
        b"User-Agent: count/1\r\nAccept: */*\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024)
HELLO = HEAD + b"Content-Length: 12\r\n\r\nHello World\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 4 + b"0\r\n\r\n"

SCENARIOS = [
    Scenario("get", "protected GET, metrics and request ids on", GET, HELLO),
    Scenario("get_logged", "the same with the access log on", GET, HELLO, logged=True),
    Scenario("post", "POST of 1 KiB with a length", POST, HELLO),
    Scenario("chunked", "chunked response of 4 KiB", GET, CHUNKS),
]


def message_end(data):
    """Where the message at the front of `data` ends, or 0. Only what the two sides here send is understood."""
    head = data.find(b"\r\n\r\n") + 4
    if head < 4:
        return 0
    fields = dict(line.lower().split(b": ", 1) for line in bytes(data[:head]).split(b"\r\n")[1:] if line)
    if fields.get(b"transfer-encoding") == b"chunked":
        return data.find(b"0\r\n\r\n", head) + 5 if data.endswith(b"\r\n0\r\n\r\n") else 0
    end = head + int(fields.get(b"content-length", 0))
    return end if len(data) >= end else 0


class Traffic:
    """The sockets of both sides. Nothing in it blocks for ever."""

    def __init__(self, upstream_port):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", upstream_port), backlog=1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, ("accept", None))
        self.scenario, self.requests, self.left, self.waiting = None, [], 0, 0
        self.clients = []

    def connect(self, port, count):
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, ("client", bytearray()))
            self.clients.append(client)

    def run(self, scenario, port, tokens, count):
        """Sends `count` requests over all connections, with the tokens in turn."""
        self.scenario, self.left, self.waiting = scenario, count, 0
        self.requests = [
            scenario.request.replace(b"@PORT@", b"%d" % port).replace(b"@TOKEN@", token.encode()) for token in tokens]
        for client in self.clients:
            self._send(client)
        while self.waiting:
            ready = self.selector.select(TIMEOUT)
            if not ready:
                raise TimeoutError(f"{self.waiting} requests were not answered within {TIMEOUT} s")
            for key, _ in ready:
                self._serve(key.fileobj, *key.data)

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def _send(self, client):
        if self.left:
            self.left -= 1
            self.waiting += 1
            client.send(self.requests[self.left % len(self.requests)])

    def _serve(self, peer, kind, data):
        if kind == "accept":
            connection, _ = peer.accept()
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, ("upstream", bytearray()))
            return
        received = peer.recv(65536)
        if not received:
            if kind == "client":
                raise ConnectionError("the gateway closed a connection")
            self.selector.unregister(peer)
            peer.close()
            return
        data += received
        end = message_end(data)
        if not end:
            return
        message = bytes(data[:end])
        del data[:end]
        if kind == "upstream":
            peer.send(self.scenario.response)
        elif message.startswith(b"HTTP/1.1 200 "):
            self.waiting -= 1
            self._send(peer)
        else:
            raise ConnectionError(f"the gateway answered {message.splitlines()[0].decode()}")
