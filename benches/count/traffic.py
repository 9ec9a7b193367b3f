"""Clients and upstream in one loop: every client sends its next request after the response to the last."""

import selectors
import socket
from dataclasses import dataclass

HEAD = (b"HTTP/1.1 200 OK\r\nServer: legacy\r\nDate: Fri, 27 Nov 2026 08:00:00 GMT\r\n"
        b"Content-Type: text/plain\r\n")
TIMEOUT = 60
STREAMS = 4  # for each HTTP/2 connection


@dataclass(frozen=True)
class Scenario:
    """One kind of request, and the upstream's response to it."""

    name: str
    label: str
    request: bytes  # @PORT@ and @TOKEN@ are filled in
    response: bytes
    logged: bool = False
    http2: bool = False


GET = (b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:@PORT@\r\nAuthorization: Bearer @TOKEN@\r\n"
       b"User-Agent: count/1\r\nAccept: */*\r\n\r\n")
POST = (b"POST /hello HTTP/1.1\r\nHost: 127.0.0.1:@PORT@\r\nAuthorization: Bearer @TOKEN@\r\n"
        b"User-Agent: count/1\r\nAccept: */*\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024)
FORM = b"grant_type=client_credentials&client_id=bench&client_secret=bench-secret-not-for-production"
ISSUE = (b"POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: 127.0.0.1:@PORT@\r\nUser-Agent: count/1\r\nAccept: */*\r\n"
         b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(FORM) + FORM)
HELLO = HEAD + b"Content-Length: 12\r\n\r\nHello World\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 4 + b"0\r\n\r\n"

SCENARIOS = [
    Scenario("get", "protected GET, metrics and request ids on", GET, HELLO),
    Scenario("get_logged", "the same with the access log on", GET, HELLO, logged=True),
    Scenario("jwt", "protected GET whose upstream gets a JWT", GET.replace(b"/hello", b"/jwt"), HELLO),
    Scenario("post", "POST of 1 KiB with a length", POST, HELLO),
    Scenario("chunked", "chunked response of 4 KiB", GET, CHUNKS),
    Scenario("issue", "token for a client seen before", ISSUE, b""),
    Scenario("http2", "protected GET over HTTP/2, 4 streams for each connection", GET, HELLO, http2=True),
]


def message_end(data):
    """Returns where the message at the front of `data` ends, or 0. Understands only what the two sides here send."""
    head = data.find(b"\r\n\r\n") + 4
    if head < 4:
        return 0
    fields = dict(line.lower().split(b": ", 1) for line in bytes(data[:head]).split(b"\r\n")[1:] if line)
    if fields.get(b"transfer-encoding") == b"chunked":
        return data.find(b"0\r\n\r\n", head) + 5 if data.endswith(b"\r\n0\r\n\r\n") else 0
    end = head + int(fields.get(b"content-length", 0))
    return end if len(data) >= end else 0


def literal(name, value):
    """Returns a header as HPACK without compression and without entries in the table (RFC 7541 §6.2.2)."""
    return b"\x00" + b"".join(number(len(text)) + text for text in (name, value))


def number(value):
    """Returns a number as HPACK with a prefix of 7 bits (RFC 7541 §5.1)."""
    if value < 127:
        return bytes([value])
    rest, out = value - 127, b"\x7f"
    while rest >= 128:
        rest, out = rest >> 7, out + bytes([rest & 127 | 128])
    return out + bytes([rest])


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


DATA, HEADERS, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


class Http2:
    """One HTTP/2 connection, as far as a client of these scenarios needs it."""

    def __init__(self):
        self.received, self.next_stream, self.ended = bytearray(), 1, 0

    def request(self, head):
        """Returns the frame that sends an HTTP/1.1 head without a body as a request of HTTP/2."""
        lines = head.split(b"\r\n\r\n")[0].split(b"\r\n")
        method, path, _ = lines[0].split(b" ")
        fields = [line.split(b": ", 1) for line in lines[1:]]
        host = dict(fields)[b"Host"]
        block = literal(b":method", method) + literal(b":scheme", b"http") + literal(b":path", path)
        block += literal(b":authority", host)
        block += b"".join(literal(name.lower(), value) for name, value in fields if name != b"Host")
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)

    def receive(self, data):
        """Takes what the gateway sent. Returns how many responses ended, and what is to be sent in return."""
        self.received += data
        ended, reply = 0, b""
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                break
            kind, flags = self.received[3], self.received[4]
            if kind == SETTINGS and not flags & ACK:
                reply += frame(SETTINGS, ACK, 0)
            elif kind not in (DATA, HEADERS, SETTINGS, WINDOW_UPDATE):
                raise ConnectionError(f"the gateway sent an HTTP/2 frame of type {kind}")
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                # The indexed field ":status: 200" is first (RFC 7541 appendix A); only an error has no body.
                if kind == HEADERS:
                    raise ConnectionError("the gateway answered an HTTP/2 request without a body")
                ended += 1
            if kind == HEADERS and self.received[9] != 0x88:
                raise ConnectionError("the gateway answered an HTTP/2 request with another status than 200")
            del self.received[:9 + length]
        return ended, reply


class Traffic:
    """The sockets of both sides. No operation blocks forever."""

    def __init__(self, upstream_port):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", upstream_port), backlog=1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, ("accept", None))
        self.scenario, self.requests, self.left, self.waiting = None, [], 0, 0
        self.clients, self.http2_clients = [], []

    def connect(self, port, count):
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, ("client", bytearray()))
            self.clients.append(client)

    def connect_http2(self, port, count):
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(PREFACE)
            client.setblocking(False)
            connection = Http2()
            self.selector.register(client, selectors.EVENT_READ, ("http2", connection))
            self.http2_clients.append((client, connection))

    def run(self, scenario, port, tokens, count):
        """Sends `count` requests over all connections, using the tokens in turn."""
        self.scenario, self.left, self.waiting = scenario, count, 0
        self.requests = [
            scenario.request.replace(b"@PORT@", b"%d" % port).replace(b"@TOKEN@", token.encode()) for token in tokens]
        if scenario.http2:
            for client, connection in self.http2_clients:
                self._send_http2(client, connection, STREAMS)
        else:
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

    def _send_http2(self, client, connection, count):
        frames = b""
        for _ in range(min(count, self.left)):
            self.left -= 1
            self.waiting += 1
            frames += connection.request(self.requests[self.left % len(self.requests)])
        if frames:
            client.send(frames)

    def _serve(self, peer, kind, data):
        if kind == "accept":
            connection, _ = peer.accept()
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, ("upstream", bytearray()))
            return
        received = peer.recv(65536)
        if not received:
            if kind in ("client", "http2"):
                raise ConnectionError("the gateway closed a connection")
            self.selector.unregister(peer)
            peer.close()
            return
        if kind == "http2":
            ended, reply = data.receive(received)
            if reply:
                peer.send(reply)
            self.waiting -= ended
            self._send_http2(peer, data, ended)
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
