"""Wrong secrets at a bounded rate: flood.py MODE PORT RATE SECONDS.

Each try comes from another loopback address, or the throttle would answer all but the first few without
hashing anything. MODE "control" sends as many requests for the public route instead: what the same connections
cost without the wrong secret. Prints how often each status came.
"""

import collections
import json
import random
import socket
import sys
import threading
import time

WORKERS = 32


def main():
    mode, port, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    body = "grant_type=client_credentials&client_id=bench&client_secret=wrong"
    wrong = (f"POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
             f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}")
    harmless = f"GET /public HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    request = (wrong if mode == "flood" else harmless).encode()
    statuses, lock, sent = collections.Counter(), threading.Lock(), 0
    began = time.monotonic()

    def client():
        nonlocal sent
        while True:
            with lock:
                due, sent = began + sent / rate, sent + 1
            if due > began + seconds:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            address = f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}"
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0)) as plain:
                    plain.sendall(request)
                    status = plain.recv(4096)[9:12].decode("ascii", "replace") or "closed"
            except OSError as error:
                status = type(error).__name__
            with lock:
                statuses[status] += 1

    workers = [threading.Thread(target=client) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
