"""The peers that are measured, and how each is started."""

import http.client
import json
import os
import re
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import machine
from process import BenchError, Server

TEMPLATES = Path(__file__).resolve().parent / "templates"
SECRET = "bench-secret-not-for-production"  # its hash is in templates/tollgate.toml
# The hash of another secret, which nobody knows.
OTHER_HASH = "$argon2id$v=19$m=19456,t=2,p=1$dG9sbGdhdGUtYmVuY2gtMg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
TOKEN_ENDPOINT = "/oauth/v2/oauth-token"


@dataclass(frozen=True)
class Peer:
    """`template` is both the configuration's file name and the name of the process: two peers may share one."""

    id: str
    label: str
    template: str
    authorises: bool
    base: str = "/hello"
    tls: bool = True


PEERS = {
    peer.id: peer
    for peer in (
        Peer("relay", "byte relay (the floor)", "relay", False, tls=False),
        Peer("nginx", "nginx, plain", "nginx.conf", False),
        Peer("haproxy", "HAProxy, plain", "haproxy.cfg", False),
        Peer("tollgate-public", "Tollgate, public route", "tollgate.toml", False, base="/public"),
        Peer("tollgate", "Tollgate, protected route", "tollgate.toml", True),
        Peer("haproxy-map", "HAProxy, token map", "haproxy-map.cfg", True),
        Peer("nginx-lua", "nginx, Lua shared dict", "nginx-lua.conf", True),
        Peer("nginx-auth-cached", "nginx, auth_request cached", "nginx-auth-cached.conf", True),
        Peer("nginx-auth", "nginx, auth_request", "nginx-auth.conf", True),
    )
}


@dataclass
class Target:
    """A running peer: where the load goes and whose CPU counts."""

    peer: Peer
    server: Server
    ports: tuple  # plain, TLS
    tokens: Path
    threads: int = 1
    key: str = ""      # what the results call it; the peer's id unless a scenario runs it twice
    label: str = ""

    def url(self, path="", tls=False):
        scheme, port = ("https", self.ports[1]) if tls else ("http", self.ports[0])
        return f"{scheme}://127.0.0.1:{port}{self.peer.base}{path}"

    def token(self):
        with open(self.tokens) as lines:
            return lines.readline().strip()


class Lab:
    """The upstream, the running proxies, and their directory. `close` stops everything."""

    def __init__(self, options, folder):
        self.options, self.folder, self.servers = options, folder, []
        self.values = {
            "DIR": folder,
            "NGINX_USER": "user nobody nogroup;" if os.geteuid() == 0 else "",
            "NGINX_MODULES": machine.NGINX_MODULES,
            "ISSUE_LIFETIME": "5s",
            "MORE_SECRETS": "",
            "STORE": "journal",
            "NGINX_ACCESS_LOG": "off",
            # What an operator has on.
            "LOG": "request_id = true",
            "VISIBILITY": '[metrics]\nlisten = "http://127.0.0.1:0"',
        }
        self._certificate()
        self._tokens([f"tg_{secrets.token_urlsafe(32)}bench1" for _ in range(options.tokens)])
        files = folder / "files"
        files.mkdir()
        (files / "4k").write_bytes(b"x" * (4 << 10))
        (files / "64k").write_bytes(b"x" * (64 << 10))
        (files / "1m").write_bytes(b"x" * (1 << 20))
        upstream, auth = machine.free_ports(2)
        self.values |= {"UPSTREAM_PORT": upstream, "AUTH_PORT": auth}
        self.upstream = self._start("upstream.conf", options.load_core, (upstream, auth), 1)

    def _certificate(self):
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-days", "7",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        (self.folder / "both.pem").write_text(cert.read_text() + key.read_text())

    def _tokens(self, tokens):
        """Returns the tokens for every peer that keeps its own list, in the format it reads."""
        def write(name, form):
            (self.folder / name).write_text("".join(form.format(token) + "\n" for token in tokens))

        write("tokens.txt", "{}")
        write("tokens.haproxy", "{} bench")
        write("tokens.nginx", '"Bearer {}" bench;')

    def _start(self, template, cores, ports, threads, **values):
        name = template.partition(".")[0]
        here = self.folder / f"{name}-{ports[0]}"
        here.mkdir()
        values = self.values | {"HERE": here, "PORT": ports[0], "TLS_PORT": ports[1], "THREADS": threads} | values
        for source in TEMPLATES.glob("nginx-*.conf"):
            self._render(source, here / source.name, values)
        if template == "relay":
            upstream = f"127.0.0.1:{self.values['UPSTREAM_PORT']}"
            command = [self.options.relay, f"127.0.0.1:{ports[0]}", upstream]
        else:
            config = here / template
            self._render(TEMPLATES / template, config, values)
            command = {
                ".conf": [machine.program("nginx"), "-p", here, "-e", "stderr", "-c", config],
                ".cfg": [machine.program("haproxy"), "-db", "-f", config],
                ".toml": [self.options.tollgate, "run", "--config", config],
            }[config.suffix]
        server = Server(name, command, cores, ports[0], here / "log", here)
        self.servers.append(server)
        server.wait_ready()
        return server

    def _render(self, source, target, values):
        target.write_text(re.sub(r"@([A-Z_]+)@", lambda name: str(values[name[1]]), source.read_text()))

    def start(self, ids, threads=1, cores=None, **values):
        """Starts the peers that do not share a process yet, and returns a target for each."""
        running, targets = {}, []
        for id in ids:
            peer = PEERS[id]
            if peer.template not in running:
                ports = tuple(machine.free_ports(2))
                server = self._start(peer.template, cores or self.options.proxy_core, ports, threads, **values)
                tokens = self.folder / "tokens.txt"
                if peer.template == "tollgate.toml":
                    tokens = self.folder / f"tokens-{ports[0]}.txt"
                    tokens.write_text("\n".join(fetch_tokens(ports[0], self.options.tokens)) + "\n")
                running[peer.template] = (server, ports, tokens)
            server, ports, tokens = running[peer.template]
            target = Target(peer, server, ports, tokens, threads, id, peer.label)
            check(target)
            targets.append(target)
        return targets

    def stop(self, targets):
        for server in {id(target.server): target.server for target in targets}.values():
            server.stop()
            self.servers.remove(server)

    def close(self):
        for server in reversed(self.servers):
            server.stop()


def form(client):
    return urllib.parse.urlencode(
        {"grant_type": "client_credentials", "client_id": client, "client_secret": SECRET, "scope": "read"})


def fetch_tokens(port, count, client="bench"):
    """Gets tokens like a client: POST the credentials, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers, tokens = {"Content-Type": "application/x-www-form-urlencoded"}, []
    for _ in range(count):
        connection.request("POST", TOKEN_ENDPOINT, form(client), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"tollgate: the token endpoint answered {answer.status}: {body[:200]!r}")
        tokens.append(json.loads(body)["access_token"])
    connection.close()
    return tokens


def status(url, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as refusal:
        refusal.read()
        return refusal.code


def check(target):
    """Checks a proxy first: one that accepts or refuses everything would give a meaningless figure."""
    good, bad = status(target.url(), target.token()), status(target.url(), target.token()[:-4] + "AAAA")
    none = status(target.url())
    wanted = (200, 401, 401) if target.peer.authorises else (200, 200, 200)
    if (good, bad, none) != wanted:
        raise BenchError(f"{target.peer.id}: a good token, a bad one and none gave {(good, bad, none)}, not {wanted}")
