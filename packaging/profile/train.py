"""Puts a bounded load on an instrumented gateway, so that it counts how often real traffic runs each branch."""

import argparse
import base64
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHES = HERE.parent.parent / "benches"
sys.path[:0] = [str(BENCHES / "count"), str(BENCHES / "compare")]

import machine  # noqa: E402
from peers import SECRET, fetch_tokens  # noqa: E402
from process import BenchError, Server  # noqa: E402
from traffic import PREFACE, SCENARIOS, STREAMS, TIMEOUT, Http2, Traffic  # noqa: E402

CONNECTIONS, TOKENS = 64, 100
# A small GET is most of the traffic of most gateways.
GETS, OTHERS = 16_000, 3_000
TLS_CONNECTIONS, ENDPOINTS = 20, 200
GET = SCENARIOS[0]


class Local(BaseHTTPRequestHandler):
    """An upstream in a thread of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b"Hello World\n")

    def log_message(self, *_):
        pass


def certificate(folder):
    """Writes a certificate for the loopback address, which signs itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", "/CN=localhost", "-days", "7",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)


class Gateway:
    """One instrumented gateway in a folder of its own."""

    def __init__(self, program, folder, name, values, logged):
        names = ("PORT", "TLS_PORT", "HTTP2_PORT", "METRICS_PORT")
        self.ports = dict(zip(names, machine.free_ports(len(names))))
        self.config, self.values = folder / f"{name}.toml", self.ports | values | {
            "STATE": f"{name}-state", "ACCESS_LOG": f'access_log = {{ file = "{name}.log" }}' if logged else ""}
        self.write()
        command = [program, "run", "--config", self.config]
        cores, log = f"0-{os.cpu_count() - 1}", folder / f"{name}.out"
        self.server = Server(name, command, cores, self.ports["PORT"], log, folder)
        self.server.wait_ready(60)

    def write(self, more=""):
        config = (HERE / "gateway.toml").read_text()
        for name, value in self.values.items():
            config = config.replace(f"@{name}@", str(value))
        self.config.write_text(config + more)

    def reload(self):
        """Adds a route, and waits until the gateway serves it."""
        self.write('\n[[routes]]\npath = "/added"\naccess = "public"\nupstream = "local"\n')
        self.server.process.send_signal(signal.SIGHUP)
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["PORT"], timeout=TIMEOUT)
        for _ in range(600):
            connection.request("GET", "/added")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
            time.sleep(0.05)
        raise BenchError("the gateway does not serve the route that a reload adds")

    def stop(self):
        """Ends the gateway in the way that writes its counts."""
        self.server.process.send_signal(signal.SIGTERM)
        if self.server.process.wait(30) != 0:
            raise BenchError(f"{self.server.name} ended with {self.server.process.returncode}")


def over_tls(port, tokens):
    """Sends requests over TLS: HTTP/1.1 on connections with some requests each, then HTTP/2 on one connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(TLS_CONNECTIONS):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=context)
        for token in tokens:
            expect(connection, 200, "GET", "/local", {"Authorization": f"Bearer {token}"})
        connection.close()
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    with context.wrap_socket(plain) as client:
        client.sendall(PREFACE)
        http2, waiting = Http2(), 0
        for token in tokens * TLS_CONNECTIONS:
            head = GET.request.replace(b"/hello", b"/local").replace(b"@PORT@", b"%d" % port)
            client.sendall(http2.request(head.replace(b"@TOKEN@", token.encode())))
            waiting += 1
            while waiting >= STREAMS:
                ended, reply = http2.receive(client.recv(65536))
                waiting -= ended
                if reply:
                    client.sendall(reply)


def expect(connection, status, method, path, headers=None, body=None):
    """Makes one exchange, which must end with this status. Returns the body."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != status:
        raise BenchError(f"{method} {path} was answered {answer.status}, not {status}: {content[:200]!r}")
    return content


def refusals_and_endpoints(port, token):
    """Sends requests that are refused, and those to the endpoints beside the token endpoint."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    bearer = {"Authorization": f"Bearer {token}"}
    client = base64.b64encode(f"bench:{SECRET}".encode()).decode()
    form = {"Authorization": f"Basic {client}", "Content-Type": "application/x-www-form-urlencoded"}
    inquiry = urllib.parse.urlencode({"token": token})
    for _ in range(ENDPOINTS):
        expect(connection, 401, "GET", "/local")
        expect(connection, 401, "GET", "/local", {"Authorization": "Bearer " + token[:-4] + "AAAA"})
        expect(connection, 403, "GET", "/write/one", bearer)
        expect(connection, 404, "GET", "/nothing", bearer)
        expect(connection, 200, "GET", "/local?query=1", bearer | {"Cookie": "session=1", "Accept-Language": "en"})
        expect(connection, 200, "POST", "/oauth/v2/oauth-introspect", form, inquiry)
    for unwanted in fetch_tokens(port, ENDPOINTS):
        expect(connection, 200, "POST", "/oauth/v2/oauth-revoke", form, urllib.parse.urlencode({"token": unwanted}))
    connection.close()


def train(program, folder, logged):
    """Runs two gateways, the first of which also forwards to the second, and puts all kinds of traffic on it."""
    upstream_port = machine.free_ports(1)[0]
    traffic, local = Traffic(upstream_port), ThreadingHTTPServer(("127.0.0.1", 0), Local)
    threading.Thread(target=local.serve_forever, daemon=True).start()
    values = {"UPSTREAM_PORT": upstream_port, "LOCAL_PORT": local.server_port}
    gateways = []
    try:
        second = Gateway(program, folder, "second", values | {"OTHER_HTTP2_PORT": 1, "OTHER_TLS_PORT": 1}, logged)
        gateways.append(second)
        others = {"OTHER_HTTP2_PORT": second.ports["HTTP2_PORT"], "OTHER_TLS_PORT": second.ports["TLS_PORT"]}
        first = Gateway(program, folder, "first", values | others, logged)
        gateways.append(first)
        port, http2_port = first.ports["PORT"], first.ports["HTTP2_PORT"]
        tokens = fetch_tokens(port, TOKENS)
        traffic.connect(port, CONNECTIONS)
        traffic.connect_http2(http2_port, CONNECTIONS // STREAMS)
        for scenario in SCENARIOS:
            if scenario.logged == logged:
                count = GETS if scenario.request == GET.request and not scenario.http2 else OTHERS
                traffic.run(scenario, http2_port if scenario.http2 else port, tokens, count)
        if not logged:
            for path in (b"/h2c", b"/tls"):
                for scenario in SCENARIOS[2:5]:
                    request = scenario.request.replace(b"/hello", path).replace(b"/jwt", path)
                    traffic.run(replace(scenario, request=request), port, tokens, OTHERS)
            over_tls(first.ports["TLS_PORT"], tokens)
            refusals_and_endpoints(port, tokens[0])
            first.reload()
    finally:
        traffic.close()
        local.shutdown()
        for gateway in gateways:
            gateway.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, help="the instrumented gateway; LLVM_PROFILE_FILE says where it writes")
    options = parser.parse_args()
    for logged in (False, True):
        with tempfile.TemporaryDirectory(prefix="tollgate-train-") as folder:
            certificate(folder)
            train(options.program.resolve(), Path(folder), logged)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"train: {error}")
