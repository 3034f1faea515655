# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 through the proxy, byte by byte (RFC 9112)."""
import re, socket, threading, time
import pytest
from conftest import read_all, read_exactly, read_head, reset, until


class Recorder:
    """An upstream that keeps what it was sent and answers every request by its path."""

    def __init__(self):
        self.heads, self.bodies = [], []

    def __call__(self, connection):
        rest = b""
        while True:
            head, rest = self.take_head(connection, rest)
            if not head:
                return
            self.heads.append(head)
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = b""
            if length:
                body = read_exactly(connection, int(length[1]), rest[: int(length[1])])
                rest = rest[int(length[1]):]
            elif re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
                while b"\r\n0\r\n" not in b"\r\n" + rest or not rest.endswith(b"\r\n\r\n"):
                    part = connection.recv(65536)
                    if not part:
                        break
                    rest += part
                body, rest = rest, b""
            self.bodies.append(body)
            if not self.answer(connection, head, body):
                return

    @staticmethod
    def take_head(connection, rest):
        while b"\r\n\r\n" not in rest:
            part = connection.recv(65536)
            if not part:
                return b"", b""
            rest += part
        head, _, rest = rest.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", rest

    def answer(self, connection, head, body):
        path = head.split(b" ")[1]
        method = head.split(b" ")[0]
        if path.startswith(b"/close"):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            return False
        if path.startswith(b"/chunked"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
        elif path.startswith(b"/204"):
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path.startswith(b"/304"):
            connection.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n")
        elif path.startswith(b"/early"):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        elif path.startswith(b"/echo"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        elif method == b"HEAD":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(path) + path)
        return True


@pytest.fixture
def pair(make):
    recorder = Recorder()
    upstream = make.upstream(recorder)
    return make.proxy([upstream]), recorder, upstream


def get(path, extra=b""):
    return b"GET " + path + b" HTTP/1.1\r\nHost: test\r\n" + extra + b"\r\n"


def exchange(connection, request, body_bytes):
    connection.sendall(request)
    head, rest = read_head(connection)
    return head, read_exactly(connection, body_bytes, rest)


def test_heads_pass_byte_for_byte(pair):
    proxy, recorder, _ = pair
    odd = b"GET /x?y=%20&z HTTP/1.1\r\nhOsT: test\r\nX-Empty:\r\nX-Spaces:   a  b  \r\nx-high: \xff\xfe\r\nCookie: a=b; c\r\n\r\n"
    with proxy.connect() as connection:
        head, body = exchange(connection, odd, 10)
    assert recorder.heads == [odd] and body == b"/x?y=%20&z"
    assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


def test_one_connection_carries_many_requests_over_one_upstream(pair):
    proxy, recorder, upstream = pair
    with proxy.connect() as connection:
        for number in range(200):
            path = b"/n%d" % number
            assert exchange(connection, get(path), len(path))[1] == path
    assert upstream.connections == 1 and len(recorder.heads) == 200


def test_pipelined_requests_are_answered_in_order(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        connection.sendall(b"".join(get(b"/p%02d" % number) for number in range(50)))
        data = b""
        while data.count(b"/p") < 50:
            data += connection.recv(65536)
    assert re.findall(rb"/p\d\d", data) == [b"/p%02d" % number for number in range(50)]


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_request_may_be_cut_anywhere(pair, cut):
    proxy, recorder, _ = pair
    request = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello world"
    with proxy.connect() as connection:
        connection.sendall(request[:cut])
        until(lambda: connection.getsockopt(socket.IPPROTO_TCP, 11, 4)[0] >= 0, "sent")
        time.sleep(0.002)
        assert exchange(connection, request[cut:], 11)[1] == b"hello world"
    assert recorder.heads[0] + recorder.bodies[0] == request


@pytest.mark.parametrize("path, want", [
    (b"/chunked", b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"), (b"/204", b""), (b"/304", b""), (b"/plain", b"/plain")])
def test_response_framing_keeps_the_connection_usable(pair, path, want):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        assert exchange(connection, get(path), len(want))[1] == want
        assert exchange(connection, get(b"/after"), 6)[1] == b"/after"


def test_head_has_no_body_whatever_it_announces(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        head, _ = exchange(connection, b"HEAD /big HTTP/1.1\r\nHost: test\r\n\r\n", 0)
        assert b"Content-Length: 5000" in head
        assert exchange(connection, get(b"/after"), 6)[1] == b"/after"


def test_a_response_without_length_ends_with_the_connection(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        connection.sendall(get(b"/close"))
        assert read_all(connection) == b"HTTP/1.1 200 OK\r\n\r\nuntil the end"


def test_interim_responses_pass(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        connection.sendall(get(b"/early"))
        data = b""
        while not data.endswith(b"ok"):
            data += connection.recv(65536)
        assert data.startswith(b"HTTP/1.1 103 Early Hints\r\n") and data.count(b"HTTP/1.1") == 2
        assert exchange(connection, get(b"/after"), 6)[1] == b"/after"


def test_expect_100_continue(make):
    def upstream(connection):
        head, _ = read_head(connection)
        assert b"expect: 100-continue" in head.lower()
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = read_exactly(connection, 4)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body)
        connection.recv(1)
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert read_head(connection)[0].startswith(b"HTTP/1.1 100")
        assert exchange(connection, b"body", 4)[1] == b"body"


def test_chunked_request_with_trailer(pair):
    proxy, recorder, _ = pair
    body = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"
    with proxy.connect() as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in range(0, len(body), 3):
            connection.sendall(body[byte:byte + 3])
        head, rest = read_head(connection)
        assert read_exactly(connection, len(body), rest) == body
    assert recorder.bodies == [body]


@pytest.mark.parametrize("request_line", [
    b"OPTIONS * HTTP/1.1", b"GET http://test/absolute?q HTTP/1.1", b"PATCH /p HTTP/1.1", b"PROPFIND /p HTTP/1.1"])
def test_request_forms(pair, request_line):
    proxy, recorder, _ = pair
    with proxy.connect() as connection:
        connection.sendall(request_line + b"\r\nHost: test\r\n\r\n")
        assert read_head(connection)[0].startswith(b"HTTP/1.1 200")
    assert recorder.heads[0].startswith(request_line)


def test_http_1_0_closes_as_its_server_does(make):
    def upstream(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nold")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(connection) == b"HTTP/1.0 200 OK\r\n\r\nold"


@pytest.mark.parametrize("opening, answer", [
    (b"GET /ws HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    (b"CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n", b"HTTP/1.1 200 Connected\r\n\r\n")])
def test_tunnels(make, opening, answer):
    def upstream(connection):
        head, rest = read_head(connection)
        assert head == opening
        connection.sendall(answer + b"first")  # bytes right behind the head belong to the tunnel
        while data := rest or connection.recv(65536):
            rest = b""
            connection.sendall(data.upper())
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(opening)
        assert read_exactly(connection, len(answer) + 5) == answer + b"first"
        for _ in range(3):
            connection.sendall(b"\x00abc\xff")
            assert read_exactly(connection, 5) == b"\x00ABC\xff"
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


def test_half_close_still_gets_the_response(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        connection.sendall(get(b"/half"))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).endswith(b"/half")


def test_a_response_before_the_end_of_the_request(make):
    def upstream(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
        head, rest = read_head(connection)
        assert head.startswith(b"HTTP/1.1 413") and read_exactly(connection, 3, rest) == b"no!"


def test_an_idle_connection_that_its_server_closed_is_not_used(make):
    served = []
    def upstream(connection):
        if read_head(connection)[0]:
            served.append(1)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        for number in range(20):
            assert exchange(connection, get(b"/%d" % number), 2)[1] == b"ok"
    assert len(served) == 20


def test_the_idle_close_race_is_retried_only_when_safe(make):
    """The server closes when it sees the second request: GET is sent again, POST is not."""
    seen = []
    def upstream(connection):
        head, _ = read_head(connection)
        seen.append(head.split(b" ")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        head, _ = read_head(connection)
        seen.append(head.split(b" ")[0] + b" dropped")
        reset(connection)
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        assert exchange(connection, get(b"/1"), 2)[1] == b"ok"
        assert exchange(connection, get(b"/2"), 2)[1] == b"ok"
    assert seen == [b"GET", b"GET dropped", b"GET"]
    seen.clear()
    with proxy.connect() as connection:
        post = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx"
        assert exchange(connection, get(b"/1"), 2)[1] == b"ok" or True
        head, _ = exchange(connection, post, 0)
    assert b"502" in head.split(b"\r\n")[0] and b"apus-proxy-error: upstream_" in head
    assert seen.count(b"POST") <= 1


@pytest.mark.parametrize("behaviour, reason", [
    ("reset", b"upstream_reset"), ("close", b"upstream_closed"), ("garbage", b"malformed_response"),
    ("two lengths", b"malformed_response")])
def test_broken_upstreams_make_502(make, behaviour, reason):
    def upstream(connection):
        read_head(connection)
        if behaviour == "reset":
            reset(connection)
        elif behaviour == "garbage":
            connection.sendall(b"\x00\x01\x02 nonsense\r\n\r\n")
        elif behaviour == "two lengths":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(get(b"/"))
        data = read_all(connection)
    assert data.startswith(b"HTTP/1.1 502 Bad Gateway\r\n") and b"apus-proxy-error: " + reason + b"\r\n" in data


def test_a_truncated_response_is_not_a_clean_end(make):
    def upstream(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(get(b"/"))
        with pytest.raises(ConnectionResetError):
            while connection.recv(65536):
                pass


def test_no_endpoint_is_503_and_refused_is_502(make):
    for endpoints, status, reason in [([], b"503", b"no_healthy_endpoint"), ([1], b"502", b"connect_refused")]:
        proxy = make.proxy(endpoints)
        with proxy.connect() as connection:
            connection.sendall(get(b"/"))
            data = read_all(connection)
        assert data.split(b" ")[1] == status and b"apus-proxy-error: " + reason in data


def test_connect_timeout_is_504(make):
    # A listener whose queue is full answers no SYN.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    proxy = make.proxy([listener.getsockname()[1]])
    with proxy.connect(timeout=8) as connection:
        connection.sendall(get(b"/"))
        data = read_all(connection)
    assert data.startswith(b"HTTP/1.1 504") and b"apus-proxy-error: connect_timeout" in data
    for item in [*fillers, listener]:
        item.close()


def test_a_denied_peer_gets_403(make):
    # A harness's inbound listener is its own application: nothing is dialled when the policy denies.
    proxy = make.proxy([], "--inbound", "--policy", "deny")
    with proxy.connect() as connection:
        connection.sendall(get(b"/"))
        data = read_all(connection)
    assert data.startswith(b"HTTP/1.1 403") and b"apus-proxy-error: policy_denied" in data


def test_slow_heads_do_not_hold_others(pair):
    proxy, _, _ = pair
    slow = [proxy.connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
    with proxy.connect() as connection:
        assert exchange(connection, get(b"/quick"), 6)[1] == b"/quick"
    for connection in slow:
        connection.close()


def test_large_bodies_both_ways(pair):
    import os
    proxy, recorder, _ = pair
    body = os.urandom(20_000_000)
    with proxy.connect(timeout=30) as connection:
        sender = threading.Thread(target=connection.sendall, args=(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(body) + body,))
        sender.start()
        head, rest = read_head(connection)
        assert read_exactly(connection, len(body), rest) == body
        sender.join()


def test_counters_say_what_happened(pair):
    proxy, _, _ = pair
    with proxy.connect() as connection:
        for _ in range(7):
            exchange(connection, get(b"/x"), 2)
        connection.sendall(b"bad request\x00\r\n")
        connection.sendall(b"GET / HTTP/9.9\r\n\r\n")
    totals = proxy.totals()
    assert totals["requests"] == 7 and totals["responses"] == {"200 success": 7}
    assert totals["worker"]["pool_misses"] == 1


def test_taps_tell_request_response_and_end(make):
    recorder = Recorder()
    proxy = make.proxy([make.upstream(recorder)], "--tap")
    with proxy.connect() as connection:
        exchange(connection, get(b"/tapped"), 7)
    until(lambda: sum(line.startswith("tap ") for line in proxy.lines) >= 3, "three events")
    events = [line for line in proxy.lines if line.startswith("tap ")]
    assert "request(" in events[0] and "/tapped" in events[0] and "response(" in events[1] and "end(" in events[2]
    assert len({event.split()[1] for event in events}) == 1
