# SPDX-License-Identifier: Apache-2.0
"""200 transfers at a time, 0 to 50 MB, both ways, with checksums, through HTTP and opaque TCP."""

SCRIPT = """
import concurrent.futures, hashlib, http.client, os, random, socket, sys
random.seed(7)
# Half are small, a few are as large as 50 MB: about 0.9 GB in all.
sizes = [0, 1, 50_000_000, 50_000_000] + [int(50_000_000 * random.random() ** 8) for _ in range(196)]
block = os.urandom(1 << 20)
def data(size):
    return (block * (size // len(block) + 1))[:size]
def opaque_up(size):
    s = socket.create_connection(('peer', 9000)); s.settimeout(120); s.sendall(b'count\\n')
    body = data(size); s.sendall(body); s.shutdown(1)
    got = b''
    while part := s.recv(65536): got += part
    return got.decode().split() == [str(size), hashlib.sha256(body).hexdigest()]
def opaque_down(size):
    s = socket.create_connection(('peer', 9000)); s.settimeout(120); s.sendall(f'send {size}\\n'.encode())
    digest, left, tail = hashlib.sha256(), size, b''
    while part := s.recv(1 << 18):
        take = min(left, len(part)); digest.update(part[:take]); left -= take; tail += part[take:]
    return left == 0 and tail == digest.digest()
def http_echo(size):
    c = http.client.HTTPConnection('node', 8082, timeout=120)
    body = data(size); c.request('POST', '/echo', body); return c.getresponse().read() == body
def job(number):
    size = sizes[number]
    return [opaque_up, opaque_down, http_echo][number % 3](size)
with concurrent.futures.ThreadPoolExecutor(200) as pool:
    results = list(pool.map(job, range(200)))
print(results.count(True), 'intact of', len(results))
"""


def test_two_hundred_parallel_transfers_arrive_intact(cluster):
    done = cluster.run("meshed", "client", "/usr/bin/python3", "-c", SCRIPT, timeout=300)
    assert done.stdout == b"200 intact of 200\n"
