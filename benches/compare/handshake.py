"""New TLS connections, one request each, never resumed: handshake.py PORT PATH TOKEN THREADS SECONDS.

wrk and h2load resume sessions when they reconnect, so neither measures a full handshake.
"""

import json
import socket
import ssl
import sys
import threading
import time

from load import percentiles


def main():
    port, path, token, threads, seconds = sys.argv[1:]
    request = (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
               "Connection: close\r\n\r\n").encode()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its own self-signed one, on loopback
    latencies, failures = [], []
    began = time.monotonic()
    end = began + float(seconds)

    def client():
        while time.monotonic() < end:
            start, answer = time.perf_counter(), b""
            try:
                with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost") as tls:
                        tls.sendall(request)
                        while part := tls.recv(4096):
                            answer += part
                        if tls.session_reused or not answer.startswith(b"HTTP/1.1 200"):
                            raise OSError("resumed, or not 200")
            except OSError as error:
                failures.append(str(error))
                continue
            latencies.append(int((time.perf_counter() - start) * 1e6))

    workers = [threading.Thread(target=client) for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.monotonic() - began
    print(json.dumps({"requests": len(latencies), "seconds": took, "failed": len(failures)}
                     | percentiles(sorted(latencies))))


if __name__ == "__main__":
    main()
