# SPDX-License-Identifier: Apache-2.0
"""Things that come at the wrong moment: late, early, in pieces, twice, or not at all."""
import re, socket, struct, threading, time
import pytest
from conftest import read_all, read_exactly, read_head, reset, until
from test_http1 import Recorder, exchange, get


def test_a_malformed_second_request_gets_an_answer_too(make):
    recorder = Recorder()
    proxy = make.proxy([make.upstream(recorder)])
    for first in (get(b"/x"), b"HEAD /x HTTP/1.1\r\nHost: t\r\n\r\n"):
        with proxy.connect() as connection:
            exchange(connection, first, 2 if first.startswith(b"GET") else 0)
            connection.sendall(b"GET / HTTP/1.1\r\nHost : t\r\n\r\n")
            data = read_all(connection)
        assert data.startswith(b"HTTP/1.1 400 ") and data.endswith(b"malformed_message\n"), data
    # The upstream of the good requests had nothing to do with the bad ones: it is still of use.
    with proxy.connect() as connection:
        exchange(connection, get(b"/y"), 2)
    assert len(recorder.heads) == 3


@pytest.mark.parametrize("end", [False, True], ids=["open", "half-closed"])
def test_a_long_request_line_needs_no_second_segment(make, end):
    proxy = make.proxy([make.upstream(Recorder())])
    path = b"/" + b"a" * 7000
    with proxy.connect() as connection:
        begin = time.monotonic()
        connection.sendall(get(path))
        if end:
            connection.shutdown(socket.SHUT_WR)
        head, rest = read_head(connection)
        assert read_exactly(connection, len(path), rest) == path
        assert time.monotonic() - begin < 0.5, "detection waited for its timer"


def test_a_slow_reader_gets_all_of_a_last_response(make):
    size = 8_000_000

    def upstream(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(size))
    proxy = make.proxy([make.upstream(upstream)])
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", proxy.port))
        connection.settimeout(10)
        connection.sendall(get(b"/"))
        got, begin = 0, time.monotonic()
        while time.monotonic() - begin < 3:  # longer than a connection lingers
            got += len(connection.recv(16))
            time.sleep(0.005)
        got += len(read_all(connection))
    assert got == size + len(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")


def test_http_that_comes_while_a_socket_is_awaited(make):
    recorder = Recorder()
    upstream = make.upstream(recorder)
    proxy = make.proxy([upstream], "--socket-delay", "400")
    connections = [proxy.connect() for _ in range(20)]
    until(lambda: proxy.totals()["tcp"].get("src opened", 0) >= 20, "accepted and silent: each waits for a socket")
    for index, connection in enumerate(connections):
        if index % 4 == 3:
            reset(connection)
        else:
            connection.sendall(get(b"/%02d" % index))
    for index, connection in enumerate(connections):
        if index % 4 != 3:
            head, rest = read_head(connection)
            assert read_exactly(connection, 3, rest) == b"/%02d" % index
            connection.close()
    assert len(recorder.heads) == 15
    with proxy.connect() as connection:
        exchange(connection, get(b"/after"), 6)


def test_many_at_once_wait_for_sockets_in_turn(make):
    proxy = make.proxy([make.upstream(Recorder())], "--socket-delay", "20")
    connections = [proxy.connect(timeout=10) for _ in range(300)]
    for connection in connections:
        connection.sendall(get(b"/x"))
    for connection in connections:
        head, rest = read_head(connection)
        assert head.startswith(b"HTTP/1.1 200")
        connection.close()


def test_a_request_without_endpoint_is_counted_and_tapped(make):
    for endpoints, status in (([], "503"), ([1], "502")):
        proxy = make.proxy(endpoints, "--tap")
        with proxy.connect() as connection:
            connection.sendall(get(b"/nowhere"))
            read_all(connection)
        totals = proxy.totals()
        assert totals["requests"] == 1 and totals["responses"] == {f"{status} failure": 1}
        events = [line for line in proxy.lines if line.startswith("tap ")]
        assert ["request(" in events[0], "response(" in events[1], "end(" in events[2]] == [True] * 3, events


def test_a_reset_passes_a_peer_that_does_not_read(make):
    done = threading.Event()
    proxy = make.proxy([make.upstream(lambda connection: done.wait(20))])
    connection = proxy.connect()
    connection.setblocking(False)
    sent = [0]

    def is_stuck():
        try:
            sent[0] += connection.send(b"\x00" * 65536)
            return False
        except BlockingIOError:
            before = proxy.totals()["tcp"].get("dst written", 0)
            return before > 0 and before == proxy.totals()["tcp"]["dst written"]
    until(is_stuck, "nobody takes any more", 20)
    reset(connection)
    until(lambda: proxy.totals()["tcp"].get("dst closed 104") == 1, "the upstream's connection is reset too")
    done.set()


def test_urgent_data_does_not_stop_what_follows(make):
    received = []

    def upstream(connection):
        received.append(read_all(connection))
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"\x00abc")
        connection.send(b"!", socket.MSG_OOB)
        connection.sendall(b"def" * 1000)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    until(lambda: received, "the upstream has read to the end")
    assert received[0].replace(b"!", b"") == b"\x00abc" + b"def" * 1000


def test_drain_lets_requests_end_and_ends_the_rest(make):
    release = threading.Event()

    class Slow(Recorder):
        def answer(self, connection, head, body):
            if head.startswith(b"GET /slow"):
                release.wait(10)
            return super().answer(connection, head, body)
    proxy = make.proxy([make.upstream(Slow())])
    idle, busy, opaque = proxy.connect(), proxy.connect(), proxy.connect()
    exchange(idle, get(b"/x"), 2)
    busy.sendall(get(b"/slow"))
    opaque.sendall(b"\x00opaque")
    until(lambda: proxy.totals()["tcp"].get("dst opened", 0) >= 3, "all are joined")
    proxy.may_end = True
    begin = time.monotonic()
    proxy.tell("drain 3")
    assert read_all(idle) == b"", "an idle connection ends at once"
    release.set()
    assert read_all(busy).endswith(b"/slow"), "a request under way is answered"
    with pytest.raises(OSError):
        read_all(opaque)
        raise OSError("a clean end is one as well")
    until(lambda: not proxy.is_alive(), "the proxy has ended", 10)
    assert 2.5 < time.monotonic() - begin < 6
    for connection in (idle, busy, opaque):
        connection.close()


def test_two_requests_in_one_segment_with_a_body_between(make):
    recorder = Recorder()
    proxy = make.proxy([make.upstream(recorder)])
    chunked = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    stream = (b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nfirst" + chunked + get(b"/end"))
    for cut in range(1, len(stream), 7):
        with proxy.connect() as connection:
            connection.sendall(stream[:cut])
            connection.sendall(stream[cut:])
            data = b""
            while not data.endswith(b"/end"):
                part = connection.recv(65536)
                assert part, data
                data += part
            assert data.count(b"HTTP/1.1 200 OK") == 3


def test_a_server_that_answers_without_reading_holds_no_memory(make):
    """It answers at the first bytes and never reads the rest; the client goes on with the next request."""
    def upstream(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while connection.recv(1):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    proxy = make.proxy([make.upstream(upstream)])
    before, body = proxy.memory(), bytes(60_000)
    for _ in range(100):
        with proxy.connect() as connection:
            try:
                for _ in range(10):
                    connection.sendall(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 60000\r\n\r\n" + body)
                    if not connection.recv(1000):
                        break
            except OSError:
                pass
    assert proxy.is_alive() and proxy.memory() - before < 4 << 20
