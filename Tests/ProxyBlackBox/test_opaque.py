# SPDX-License-Identifier: Apache-2.0
"""Everything that is not HTTP: bytes, ends and resets as they are."""
import hashlib, os, random, socket, statistics, threading, time
import pytest
from conftest import read_all, read_exactly, reset, until


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


@pytest.fixture(params=[[], ["--opaque"]], ids=["detected", "declared"])
def echoing(make, request):
    return make.proxy([make.upstream(echo)], *request.param)


def test_bytes_and_ends(echoing):
    with echoing.connect() as connection:
        for size in (1, 7, 65536, 300_000):
            data = os.urandom(size)
            threading.Thread(target=connection.sendall, args=(data,)).start()
            assert read_exactly(connection, size) == data
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


def test_one_byte_at_a_time(echoing):
    with echoing.connect() as connection:
        for byte in b"\x16\x03 not quite tls, GET nor":
            connection.sendall(bytes([byte]))
        assert read_exactly(connection, 25) == b"\x16\x03 not quite tls, GET nor"[:25]


def test_half_close_by_either_side(make):
    done = []

    def upstream(connection):
        connection.sendall(b"greeting")
        connection.shutdown(socket.SHUT_WR)
        done.append(len(read_all(connection)))
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        assert read_all(connection) == b"greeting"
        connection.sendall(b"x" * 100_000)
        connection.shutdown(socket.SHUT_WR)
        until(lambda: done == [100_000], "the upstream has everything")


def test_reset_passes_both_ways(make):
    seen = []

    def upstream(connection):
        try:
            word = connection.recv(100)
            if word == b"\x00reset me":
                reset(connection)
                return
            while connection.recv(100):
                pass
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"\x00reset me")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    connection = proxy.connect()
    connection.sendall(b"\x00hello")
    until(lambda: proxy.totals()["tcp"].get("dst opened", 0) >= 2, "joined")
    reset(connection)
    until(lambda: seen == ["reset"], "the upstream sees a reset")


def test_a_server_that_speaks_first_is_not_kept_waiting(make):
    def upstream(connection):
        connection.sendall(b"220 ready\r\n")
        connection.recv(1)
    server = make.upstream(upstream)
    proxy = make.proxy([server])

    def wait(port):
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert read_exactly(connection, 11) == b"220 ready\r\n"
        return time.monotonic() - begin
    added = statistics.median(wait(proxy.port) for _ in range(40)) - statistics.median(
        wait(server.port) for _ in range(40))
    assert added < 0.020, f"{added * 1000:.1f} ms"


def test_http_after_a_silence_is_still_http(make):
    from test_http1 import Recorder, exchange, get
    proxy = make.proxy([make.upstream(Recorder())])
    with proxy.connect() as connection:
        until(lambda: proxy.totals()["tcp"].get("dst opened") == 1, "the upstream is dialled meanwhile")
        assert exchange(connection, get(b"/late"), 5)[1] == b"/late"
        assert exchange(connection, get(b"/again"), 6)[1] == b"/again"
    totals = proxy.totals()
    assert totals["requests"] == 2 and totals["tcp"]["dst opened"] == 1


@pytest.mark.parametrize("word", [b"G", b"GET /x", b"PRI * HT", b"\x16\x03\x01\x02"])
def test_what_only_begins_like_something_we_know_is_passed_on(make, word):
    """Nobody says more: a second later it is a protocol that we do not know, and both sides speak."""
    proxy = make.proxy([make.upstream(echo)])
    begin = time.monotonic()
    with proxy.connect() as connection:
        connection.sendall(word)
        assert read_exactly(connection, len(word)) == word
        assert time.monotonic() - begin < 3
        connection.sendall(b"more")
        assert read_exactly(connection, 4) == b"more"


def test_two_hundred_transfers_at_once(make):
    def upstream(connection):
        size = int.from_bytes(read_exactly(connection, 8), "big")
        digest, left = hashlib.sha256(), size
        while left:
            data = connection.recv(min(left, 1 << 18))
            digest.update(data)
            left -= len(data)
        connection.sendall(digest.digest())
        block = os.urandom(1 << 16)
        digest, left = hashlib.sha256(), size
        while left:
            part = block[: min(left, len(block))]
            connection.sendall(part)
            digest.update(part)
            left -= len(part)
        connection.sendall(digest.digest())
    proxy = make.proxy([make.upstream(upstream)])
    random.seed(3)
    sizes = [0, 1, 50_000_000] + [int(50_000_000 * random.random() ** 12) for _ in range(197)]
    block = os.urandom(1 << 20)
    bad = []

    def transfer(size):
        try:
            with proxy.connect(timeout=60) as connection:
                connection.sendall(b"\x00" * 0 + size.to_bytes(8, "big"))
                digest, left = hashlib.sha256(), size
                while left:
                    part = block[: min(left, len(block))]
                    connection.sendall(part)
                    digest.update(part)
                    left -= len(part)
                assert read_exactly(connection, 32) == digest.digest()
                digest, left = hashlib.sha256(), size
                while left:
                    data = connection.recv(min(left, 1 << 18))
                    assert data, "ended early"
                    digest.update(data)
                    left -= len(data)
                assert read_exactly(connection, 32) == digest.digest()
        except Exception as error:
            bad.append((size, repr(error)))
    threads = [threading.Thread(target=transfer, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bad == []
