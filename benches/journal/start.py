"""How long a start takes, and how much memory a token, with many live tokens in the journal."""

import argparse
import http.client
import json
import os
import pathlib
import secrets
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
import urllib.parse
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRET = "bench-secret-not-for-production"
HASH = ("$argon2id$v=19$m=19456,t=2,p=1$dG9sbGdhdGUtYmVuY2gtMQ"
        "$1ZE50IHwDL4YlJuxpuif3NZl4SLEhtUW9GFMvWxuPl4")
ISSUED = 1          # the kind of a row of issued tokens
A_ROW = 100         # tokens
LIFETIME = 86_400   # seconds
MOST_SECONDS, MOST_BYTES = 10, 100
CONFIG = """
[server]
listen = ["http://127.0.0.1:{port}"]
state_dir = "state"

[store]
kind = "journal"

[token_service]
issuer = "https://localhost"
max_tokens = 20000000

[scopes]
read = "Read from the API"

[clients.bench]
secret = "{hash}"
capabilities = ["client_credentials"]
scopes = ["read"]
token_lifetime = "{lifetime}s"

[upstreams.api]
servers = ["http://127.0.0.1:{upstream}"]

[[routes]]
path = "/hello"
scopes = ["read"]
upstream = "api"
"""


class Gateway:
    """A running gateway, and when it began to answer."""

    def __init__(self, program, folder, port, token=None):
        self.port, began = port, time.monotonic()
        self.process = subprocess.Popen([program, "run", "--config", folder / "gateway.toml"], cwd=folder,
                                        stdout=subprocess.DEVNULL, stderr=open(folder / "log", "ab"))
        while True:
            try:
                # 502: the token is accepted, and the upstream is not there.
                status = self.request("GET", "/hello", headers={"Authorization": f"Bearer {token}"}).status
                assert token is None or status == 502, f"the first token is answered with {status}"
                break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("the gateway does not start:\n" + (folder / "log").read_text())
                time.sleep(0.01)
        self.seconds = time.monotonic() - began
        ticks = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        self.memory = int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def request(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def token(self):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "bench",
                                       "client_secret": SECRET, "scope": "read"})
        answer = self.request("POST", "/oauth/v2/oauth-token", form,
                              {"Content-Type": "application/x-www-form-urlencoded"})
        return json.loads(answer.body)["access_token"]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def fill(journal, tokens):
    """Adds rows of random tokens, on the terms of the one that is there."""
    database = sqlite3.connect(journal)
    (grant,) = database.execute("SELECT id FROM grants").fetchone()
    (now,) = database.execute("SELECT boot FROM tick").fetchone()
    until = now + LIFETIME * 1000
    database.execute("UPDATE grants SET until = ?", (until + LIFETIME * 1000,))

    def rows():
        for first in range(0, tokens, A_ROW):
            count = min(A_ROW, tokens - first)
            digests = secrets.token_bytes(16 * count)
            # Issued within the last second.
            base = now - 1000
            content = b"".join(digests[16 * n:16 * n + 16] + struct.pack(">QI", grant, n % 1000)
                               for n in range(count))
            covered = struct.pack(">Bq", ISSUED, until - base) + content
            checksum = struct.pack(">I", zlib.crc32(covered))
            yield ISSUED, base, until, checksum + content

    database.executemany("INSERT INTO batches (kind, base, until, blob) VALUES (?, ?, ?, ?)", rows())
    database.commit()
    database.close()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--tollgate", type=pathlib.Path, default=ROOT / "target/release/tollgate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tollgate-journal-") as folder:
        folder, port = pathlib.Path(folder), free_port()
        text = CONFIG.format(port=port, upstream=free_port(), hash=HASH, lifetime=LIFETIME)
        (folder / "gateway.toml").write_text(text)
        gateway = Gateway(options.tollgate, folder, port)
        token = gateway.token()
        gateway.stop()
        empty = Gateway(options.tollgate, folder, port, token)
        empty.stop()
        journal = folder / "state/journal.db"
        fill(journal, options.tokens)
        disk = journal.stat().st_size
        full = Gateway(options.tollgate, folder, port, token)
        full.stop()
        again = Gateway(options.tollgate, folder, port, token)
        again.stop()
    each = (full.memory - empty.memory) / options.tokens
    print(f"{options.tokens:,} tokens, {disk / options.tokens:.0f} bytes each on disk")
    for name, run in (("first start", full), ("second start", again)):
        print(f"  {name:12}  {run.seconds:6.1f} s until the first request is answered, {run.cpu:5.1f} s of CPU")
    print(f"  memory        {each:6.1f} bytes a token")
    if min(full.cpu, again.cpu) > MOST_SECONDS or each > MOST_BYTES:
        raise SystemExit(f"above the bar of {MOST_SECONDS} s or {MOST_BYTES} bytes")


if __name__ == "__main__":
    main()
