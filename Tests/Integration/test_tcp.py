# SPDX-License-Identifier: Apache-2.0
"""What TCP itself does, with the mesh off and on: the same lines must come out."""
import statistics
import pytest
from conftest import NAMESPACES

PYTHON = "/usr/bin/python3"
START = """
import hashlib, os, socket, struct, sys, time
def dial(word, host='peer', port=9000):
    s = socket.create_connection((host, port), 5)
    s.settimeout(10)
    if word: s.sendall((word + '\\n').encode())
    return s
def rest(s):
    data = b''
    while part := s.recv(65536): data += part
    return data
"""

BEHAVIOURS = {
    "echo": "s = dial('echo'); s.sendall(b'abc'); print(s.recv(10)); s.shutdown(1); print(rest(s))",
    "half-close by the client": "s = dial('half'); s.sendall(b'x' * 100000); s.shutdown(1); print(rest(s))",
    "close at once": "s = dial('close'); print(rest(s))",
    "reset by the server": """
s = dial('reset')
try: print(rest(s))
except ConnectionResetError: print('reset')""",
    "client that says nothing and goes": "s = dial(None); s.shutdown(1); print(rest(s))",
    "server speaks first": "s = dial(None, 'greeter', 9001); print(s.recv(100)[:5]); s.sendall(b'x'); print(s.recv(1))",
    "one byte at a time": "s = dial('echo')\nfor b in b'GET / nonsense\\n': s.sendall(bytes([b]))\nprint(s.recv(1))",
    "peer address": """
s = dial('who'); own = s.getsockname()[0]; seen = rest(s).split()
print(seen[0].decode() == own, seen[1].decode() == own, seen[2], s.fileno() >= 0)""",
    "own view of the peer": "s = dial('silent'); print(s.getpeername()[1])",
    "bind before connect": """
s = socket.socket(); s.bind(('0.0.0.0', 0)); s.connect(('peer', 9000)); s.settimeout(10)
s.sendall(b'echo\\n'); s.sendall(b'q'); print(s.recv(1))""",
    "two megabytes and a checksum": """
s = dial('count'); d = os.urandom(1 << 21); s.sendall(d); s.shutdown(1)
print(rest(s).decode().split()[1] == hashlib.sha256(d).hexdigest())""",
    "non-blocking connect": """
import select
s = socket.socket(); s.setblocking(False)
try: s.connect((socket.gethostbyname('peer'), 9000))
except BlockingIOError: pass
print(select.select([], [s], [], 5)[1] == [s], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))""",
    "name that does not exist": """
try: socket.create_connection(('absent', 1), 5)
except OSError as error: print(type(error).__name__)""",
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaves_as_without_the_mesh(cluster, name):
    plain, meshed = cluster.both("client", PYTHON, "-c", START + BEHAVIOURS[name])
    assert plain.stdout and plain.stdout == meshed.stdout


def test_a_server_that_speaks_first_is_not_kept_waiting(cluster):
    script = START + """
times = []
for _ in range(40):
    begin = time.monotonic(); s = dial(None, 'greeter', 9001); s.recv(100); times.append(time.monotonic() - begin); s.close()
print(sorted(times)[len(times) // 2])"""
    plain, meshed = (float(done.stdout) for done in cluster.both("client", PYTHON, "-c", script))
    assert meshed - plain < 0.020, f"{plain * 1000:.1f} ms without, {meshed * 1000:.1f} ms with the mesh"


def test_the_first_end_of_the_server_is_passed_on_and_bytes_still_go_the_other_way(cluster, tmp_path):
    for namespace in NAMESPACES:
        token = f"{namespace}-{tmp_path.name}"
        script = START + f"""
s = dial('first-end {token}'); print(rest(s)); s.sendall(b'x' * 50000); s.close()"""
        assert cluster.run(namespace, "client", PYTHON, "-c", script).stdout == b"b'bye\\n'\n"
        from conftest import until
        import os
        path = f"/tmp/apus-peer-{token}"
        until(lambda: os.path.exists(path) and open(path).read() == "50000", "the server has all bytes")
        os.unlink(path)
