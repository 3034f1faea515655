# SPDX-License-Identifier: Apache-2.0
"""hold.py ADDRESS PORT COUNT: opens connections, makes one request on each, and keeps them until standard input ends.

Run inside the client's namespace. Also tells that a server is up: the first connection is tried for ten seconds.
"""

import resource
import socket
import sys
import time


def connect(address, deadline):
    while True:
        try:
            return socket.create_connection(address, timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def exchange(connection):
    connection.sendall(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")
    answer = b""
    while b"\r\n\r\nhello\n" not in answer:
        piece = connection.recv(4096)
        if not piece:
            sys.exit(f"hold: closed after {answer!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"hold: answered {answer!r}")


address, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
deadline = time.monotonic() + 10
connections = []
for _ in range(count):
    connections.append(connect(address, deadline))
    exchange(connections[-1])
print("held", flush=True)
sys.stdin.read()
