# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 through the proxy: what goes in comes out, both ways, stream by stream (RFC 9113, RFC 8441)."""
import random, socket, threading, time
import pytest
from conftest import read_all, read_head, until
from h2peer import *
import h2.config, h2.connection, h2.errors, h2.events, h2.exceptions


@pytest.fixture(autouse=True)
def audited():
    FAULTS.clear()
    yield
    assert not FAULTS, FAULTS[:5]


@pytest.fixture
def pair(make):
    application = Application()
    upstream = make.upstream(application)
    yield make.proxy([upstream]), application, upstream
    application.release.set()


# Two peers that nobody here wrote: PyPI's h2 refuses what no peer may send.

def strict_echo(connection):
    """An upstream that gives bodies back as they come."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    state.initiate_connection()
    connection.sendall(state.data_to_send())
    waiting = {}

    def flush():
        for stream, (queue, ended) in list(waiting.items()):
            while queue:
                size = min(len(queue), state.local_flow_control_window(stream), state.max_outbound_frame_size)
                if size <= 0:
                    break
                state.send_data(stream, bytes(queue[:size]))
                del queue[:size]
            if ended and not queue:
                state.send_headers(stream, [("x-echoed", "1")], end_stream=True)
                del waiting[stream]
    while part := connection.recv(1 << 16):
        try:
            for event in state.receive_data(part):
                if isinstance(event, h2.events.RequestReceived):
                    waiting[event.stream_id] = (bytearray(), [])
                    state.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/octet-stream")])
                elif isinstance(event, h2.events.DataReceived) and event.stream_id in waiting:
                    waiting[event.stream_id][0].extend(event.data)
                    state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id in waiting:
                    waiting[event.stream_id][1].append(True)
                elif isinstance(event, h2.events.StreamReset):
                    waiting.pop(event.stream_id, None)
            flush()
        except h2.exceptions.ProtocolError as error:
            FAULTS.append(f"h2 as an upstream: {error!r}")
        connection.sendall(state.data_to_send())


def strict_exchange(connection, bodies):
    """Posts all bodies at once over one connection; returns what came back for each."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    state.initiate_connection()
    unsent, got, ended = {}, {}, set()
    queue, limit = list(enumerate(bodies)), 50
    connection.settimeout(20)
    while len(ended) < len(bodies):
        while queue and len(got) - len(ended) < limit:
            number, body = queue.pop(0)
            stream = 1 + 2 * number
            state.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", f"/{number}"),
                                        (":authority", "test")], end_stream=False)
            unsent[stream], got[stream] = memoryview(body), bytearray()
        for stream in list(unsent):
            while True:
                size = min(len(unsent[stream]), state.local_flow_control_window(stream), state.max_outbound_frame_size,
                           random.choice((1, 100, 5000, 1 << 20)))
                if not unsent[stream]:
                    state.end_stream(stream)
                    del unsent[stream]
                    break
                if size <= 0:
                    break
                state.send_data(stream, bytes(unsent[stream][:size]))
                unsent[stream] = unsent[stream][size:]
        connection.sendall(state.data_to_send())
        part = connection.recv(1 << 16)
        assert part, "the connection ended"
        for event in state.receive_data(part):
            assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
            if isinstance(event, h2.events.DataReceived):
                got[event.stream_id] += event.data
                state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                ended.add(event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                assert (b"x-echoed", b"1") in event.headers
    return [bytes(got[1 + 2 * number]) for number in range(len(bodies))]


@pytest.mark.parametrize("seed", range(4))
def test_bodies_of_random_sizes_arrive_intact(make, seed):
    random.seed(seed)
    proxy = make.proxy([make.upstream(strict_echo), make.upstream(strict_echo)])
    bodies = [random.randbytes(int(random.choice((1, 100, 16384, 70000, 400_000)) * random.random())) for _ in range(120)]
    with proxy.connect() as connection:
        assert strict_exchange(connection, bodies) == bodies


def test_a_head_passes_field_by_field(pair):
    proxy, application, _ = pair
    fields = [("x-empty", ""), ("x-spaces", "a  b"), ("x-high", "\xff\xfe"), ("cookie", "a=b"), ("x-twice", "1"), ("x-twice", "2"),
              ("te", "trailers"), ("grpc-timeout", "5S"), ("x-binary-bin", "AAEC"), ("authorization", "secret")]
    with dial(proxy) as peer:
        assert peer.ask("/x?y=%20&z", fields=fields, authority="name:80").body == b"/x?y=%20&z"
    assert application.requests[0][2].head == [
        (":method", "GET"), (":scheme", "http"), (":path", "/x?y=%20&z"), (":authority", "name:80"), *fields]


def test_a_response_head_passes_field_by_field(make):
    fields = [("server", "x"), ("set-cookie", "a"), ("set-cookie", "b"), ("x-high", "\xff"), ("date", "never")]

    class Fields(Application):
        def on_request(self, peer, stream, message):
            peer.respond(stream, 203, fields, b"x")
    with dial(make.proxy([make.upstream(Fields())])) as peer:
        assert peer.ask("/").head == [(":status", "203"), *fields]


def test_cookie_crumbs_mean_the_same(pair):
    proxy, application, _ = pair
    with dial(proxy) as peer:
        peer.ask("/", fields=[("cookie", "a=1"), ("cookie", "b=2"), ("x", "y"), ("cookie", "c=3")])
    crumbs = [value for name, value in application.requests[0][2].head if name == "cookie"]
    assert "; ".join(crumbs) == "a=1; b=2; c=3"


def test_never_indexed_fields_stay_so(make):
    """RFC 7541 §6.2.3: an intermediary MUST use the same representation."""
    blocks = []

    class Spy(Peer):
        def _block(self, stream, end, block):
            blocks.append(bytes(block))
            super()._block(stream, end, block)

    def upstream(connection):
        peer = Spy(connection, server=True)
        peer.on_end = lambda stream: peer.respond(stream, 200, [])
        if peer.accept_preface():
            while peer.step(60):
                pass
    with dial(make.proxy([make.upstream(upstream)])) as peer:
        for number in range(2):
            stream = 1 + 2 * number
            sent = headers(stream, literal((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test"))
                           + literal(("x-secret", "hidden"), first=0x10), True)
            peer.announce(sent)
            peer.send(sent)
            assert peer.response(stream).status == 200
    decoder = hpack.Decoder()
    for block in blocks:
        kinds = {bytes(field[0]): type(field).__name__ for field in decoder.decode(block, raw=True)}
        assert kinds[b"x-secret"] == "NeverIndexedHeaderTuple", kinds


@pytest.mark.parametrize("path, method, want", [
    ("/echo", "POST", b"hello"), ("/plain", "GET", b"/plain"), ("/head", "HEAD", b""), ("/status/204", "GET", b""),
    ("/status/304", "GET", b""), ("/status/404", "GET", b""), ("/early", "GET", b"ok"), ("/trailers", "GET", b"body")])
def test_messages(pair, path, method, want):
    proxy, _, _ = pair
    with dial(proxy) as peer:
        message = peer.ask(path, method=method, body=b"hello" if method == "POST" else None)
        assert message.body == want and message.ended and message.reset is None
        if path == "/early":
            assert [fields[0][1] for fields in message.interim] == ["103"] and message.interim[0][1] == ("link", "x")
        if path == "/trailers":
            assert message.trailers == [("x-sum", "1"), ("x-more", "a"), ("x-more", "b")]
        if method == "HEAD":
            assert message["content-length"] == "5000"
        assert peer.ask("/after").body == b"/after"


def test_request_trailers_pass(pair):
    proxy, application, _ = pair
    with dial(proxy) as peer:
        stream = peer.request("/echo", method="POST", body=b"body", end=False)
        peer.send(headers(stream, peer.encode([("x-sum", "42"), ("x-bin", "AA==")]), True))
        assert peer.response(stream).body == b"body"
    assert application.requests[0][2].trailers == [("x-sum", "42"), ("x-bin", "AA==")]


def test_expect_continue_passes_both_ways(make):
    class Continue(Application):
        def on_head(self, peer, stream, message):
            assert message["expect"] == "100-continue"
            peer.send(headers(stream, peer.encode([(":status", "100")])))
    with dial(make.proxy([make.upstream(Continue())])) as peer:
        stream = peer.request("/echo", method="PUT", fields=[("expect", "100-continue")], end=False)
        peer.until(lambda: peer.streams[stream].interim, "100 comes before the body")
        peer.send_body(stream, b"body")
        assert peer.response(stream).body == b"body"


def test_messages_of_a_stream_go_back_and_forth(make):
    """Nothing waits for more: each piece is answered before the next is sent."""
    class Bounce(Application):
        def on_head(self, peer, stream, message):
            peer.send(headers(stream, peer.encode([(":status", "200")])))
            peer.on_data = lambda stream, payload: peer.send_body(stream, payload.upper(), False) if payload else None

        def on_request(self, peer, stream, message):
            peer.send(headers(stream, peer.encode([("grpc-status", "0")]), True))
    with dial(make.proxy([make.upstream(Bounce())])) as peer:
        stream = peer.request("/bounce", method="POST", end=False)
        begin = time.monotonic()
        for number in range(200):
            word = b"message %d " % number
            before = len(peer.streams[stream].body)
            peer.send_body(stream, word, False)
            peer.until(lambda: len(peer.streams[stream].body) == before + len(word), "its answer")
            assert peer.streams[stream].body[before:] == word.upper()
        each = (time.monotonic() - begin) / 200
        peer.send(data(stream, b"", True))
        assert peer.response(stream).trailers == [("grpc-status", "0")]
    assert each < 0.02, f"{each * 1000:.1f} ms for each"


def test_a_response_may_end_before_its_request(make):
    """RFC 9113 §8.1: the response, then RST_STREAM NO_ERROR; the downstream may stop sending."""
    class Early(Application):
        def on_head(self, peer, stream, message):
            peer.respond(stream, 413, [], b"no!")
            peer.send(rst(stream, 0))
    with dial(make.proxy([make.upstream(Early())])) as peer:
        stream = peer.request("/", method="POST", body=b"x" * 1000, end=False)
        message = peer.streams[stream]
        peer.until(lambda: message.ended, "the response")
        assert message.status == 413 and message.body == b"no!"
        peer.until(lambda: message.reset is not None, "the reset")
        assert message.reset == Code.NO_ERROR


def test_a_response_that_ends_first_leaves_the_request_open(make):
    """Also without a reset: the request body may go on, and does not disturb the next request."""
    class First(Application):
        def on_head(self, peer, stream, message):
            if message["path"] == "/first":
                peer.respond(stream, 200, [], b"done")

        def on_request(self, peer, stream, message):
            if message["path"] != "/first":
                self.reply(peer, stream, message)
    application = First()
    with dial(make.proxy([make.upstream(application)])) as peer:
        stream = peer.request("/first", method="POST", body=b"a" * 100, end=False)
        peer.until(lambda: peer.streams[stream].ended, "the response")
        if peer.streams[stream].reset is None:
            peer.send_body(stream, b"b" * 100)
            until(lambda: application.requests[0][2].ended or application.requests[0][2].reset is not None, "the end of the request")
        assert peer.ask("/next").status == 200


# Tunnels.

class Tunnel(Application):
    def on_head(self, peer, stream, message):
        if message["method"] == "CONNECT":
            peer.send(headers(stream, peer.encode([(":status", "200"), ("x-tunnel", "1")])))
            peer.on_data = lambda stream, payload: peer.send_body(stream, payload.upper(), False) if payload else None
            peer.on_end = lambda one: peer.send(data(one, b"", True)) if one == stream else self.finish(peer, one)


def through_a_tunnel(peer, stream):
    message = peer.streams[stream]
    peer.until(lambda: message.is_over or message.head, "the answer")
    assert message.status == 200 and message["x-tunnel"] == "1", message
    for number in range(3):
        peer.send_body(stream, b"\x00abc\xff", False)
        peer.until(lambda: len(message.body) == 5 * (number + 1), "the echo")
    assert message.body == b"\x00ABC\xff" * 3
    peer.send(data(stream, b"", True))
    assert peer.response(stream).ended


def test_websocket_by_extended_connect(make):
    application = Tunnel(settings=[(ENABLE_CONNECT_PROTOCOL, 1)])
    with dial(make.proxy([make.upstream(application)])) as peer:
        peer.until(lambda: peer.remote.get(ENABLE_CONNECT_PROTOCOL) == 1, "the proxy allows it (RFC 8441 §3)")
        stream = peer.request("/chat", method="CONNECT", end=False, pseudo=[(":protocol", "websocket")],
                              fields=[("sec-websocket-version", "13"), ("origin", "http://test")])
        through_a_tunnel(peer, stream)
        assert peer.ask("/after").status == 200
    head = application.requests[0][2].head
    assert (":protocol", "websocket") in head and (":path", "/chat") in head and ("sec-websocket-version", "13") in head


def test_connect(make):
    application = Tunnel()
    with dial(make.proxy([make.upstream(application)])) as peer:
        stream = peer.next_stream
        peer.next_stream += 2
        peer.open(stream)
        peer.send_head(stream, [(":method", "CONNECT"), (":authority", "test:443")], False)
        through_a_tunnel(peer, stream)
        assert peer.ask("/after").status == 200
    assert application.requests[0][2].head == [(":method", "CONNECT"), (":authority", "test:443")]


def test_extended_connect_is_not_sent_to_an_upstream_that_does_not_know_it(make):
    application = Tunnel()
    with dial(make.proxy([make.upstream(application)])) as peer:
        stream = peer.request("/chat", method="CONNECT", end=False, pseudo=[(":protocol", "websocket")])
        peer.until(lambda: peer.streams[stream].is_over or peer.streams[stream].head, "an answer")
        message = peer.streams[stream]
        assert message.reset is not None or message.status >= 400, message
        assert peer.ask("/after").status == 200
    assert all(not message["protocol"] for _, _, message in application.requests)


# Versions.

def test_upgrade_to_h2c_is_answered_in_http_1(make):
    """RFC 9113 §3.1: the upgrade is gone. Even an upstream that would switch must not: nobody behind could follow."""
    heads = []

    def upstream(connection):
        head, _ = read_head(connection)
        heads.append(head)
        if b"upgrade: h2c" in head.lower():
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            connection.recv(100)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(1)
    with make.proxy([make.upstream(upstream)]).connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                           b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        head, _ = read_head(connection)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert b"http2-settings" not in heads[0].lower(), "hop-by-hop (RFC 7540 §3.2.1)"


def test_versions_are_kept_side_by_side(make):
    seen = []

    def upstream(connection):
        first = connection.recv(24, socket.MSG_PEEK)
        seen.append(first[:3])
        if first.startswith(b"PRI"):
            Application()(connection)
        else:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(1)
    proxy = make.proxy([make.upstream(upstream)])
    with dial(proxy) as peer, proxy.connect() as connection:
        assert peer.ask("/2").status == 200
        connection.sendall(b"GET /1 HTTP/1.1\r\nHost: t\r\n\r\n")
        assert read_head(connection)[0].startswith(b"HTTP/1.1 200")
        assert peer.ask("/2").status == 200
    assert sorted(seen) == [b"GET", b"PRI"]


# Resets and ends pass, at once.

CODES = [Code.CANCEL, Code.INTERNAL_ERROR, Code.ENHANCE_YOUR_CALM, Code.NO_ERROR, 0xdeadbeef]


@pytest.mark.parametrize("code", CODES)
def test_a_downstream_reset_passes_with_its_code(pair, code):
    proxy, application, _ = pair
    with dial(proxy) as peer:
        assert peer.ask("/warm").status == 200
        stream = peer.request("/hold", method="POST", body=b"x", end=False)
        until(lambda: len(application.requests) == 2, "the application has the request")
        begin = time.monotonic()
        peer.send(rst(stream, code))
        until(lambda: application.resets, "the application sees it")
        assert time.monotonic() - begin < 0.25
        assert application.resets[0][1] == code
        assert peer.ask("/after").status == 200
    assert len(application.peers) == 1


@pytest.mark.parametrize("how", ["end", "reset", "goaway"])
def test_the_end_of_a_downstream_connection_cancels_its_streams_only(pair, how):
    from conftest import reset
    proxy, application, _ = pair
    with dial(proxy) as other:
        held = other.request("/hold")
        peer = dial(proxy)
        for _ in range(5):
            peer.request("/hold", method="POST", body=b"x", end=False)
        until(lambda: len(application.requests) == 6, "the application has them")
        if how == "reset":
            reset(peer.connection)
        else:
            if how == "goaway":
                peer.send(goaway(0, Code.NO_ERROR))
            peer.close()
        until(lambda: len(application.resets) == 5, "all five are cancelled")
        assert {code for _, code in application.resets} == {Code.CANCEL}
        application.release.set()
        assert other.response(held).status == 200
        assert other.ask("/after").status == 200
    assert len(application.peers) == 1, "the upstream's connection is not theirs alone"


# Connections are shared.

def test_streams_of_one_source_share_upstream_connections(pair):
    proxy, application, upstream = pair
    with dial(proxy) as warm:
        assert warm.ask("/warm").status == 200
        peers = [dial(proxy) for _ in range(10)]
        streams = [(peer, peer.request("/hold")) for peer in peers for _ in range(8)]
        until(lambda: len(application.requests) == 81, "all have come")
        application.release.set()
        for peer, stream in streams:
            assert peer.response(stream).status == 200
        for peer in peers:
            peer.close()
    assert upstream.connections == 1


def test_the_upstreams_stream_limit_is_kept(make):
    """Ten at once through a limit of two. What was sent before its SETTINGS could be seen, the upstream may refuse."""
    class Limited(Application):
        over = 0

        def on_head(self, peer, stream, message):
            if len(peer.still) > 2:
                if peer.acknowledged:
                    self.over += 1
                peer.still.discard(stream)
                peer.answer(rst(stream, Code.REFUSED_STREAM))
    application = Limited(settings=[(MAX_CONCURRENT_STREAMS, 2)], delay=0.02)
    with dial(make.proxy([make.upstream(application)])) as peer:
        streams = [peer.request(f"/{number}") for number in range(10)]
        for stream in streams:
            message = peer.response(stream)
            assert message.status == 200 and message.reset is None, message
    assert application.over == 0, "more streams than the upstream allows"


def test_an_upstream_that_allows_no_streams_for_a_while(make):
    class Closed(Application):
        early = 0
        opened = threading.Event()

        def __call__(self, connection):
            peer = Peer(connection, server=True, settings=[(MAX_CONCURRENT_STREAMS, 0)])
            peer.still = set()
            self.peers.append(peer)
            peer.on_head = lambda stream: self.begin(peer, stream)
            peer.on_end = lambda stream: self.finish(peer, stream)
            peer.is_open = False
            if not peer.accept_preface():
                return
            while peer.step(0.02):
                if self.opened.is_set() and not peer.is_open:
                    peer.is_open = True
                    peer.configure((MAX_CONCURRENT_STREAMS, 100))

        def on_head(self, peer, stream, message):
            if not peer.is_open:
                if peer.acknowledged:
                    self.early += 1
                peer.still.discard(stream)
                peer.answer(rst(stream, Code.REFUSED_STREAM))
    application = Closed()
    upstream = make.upstream(application)
    with dial(make.proxy([upstream])) as peer:
        streams = [peer.request(f"/{number}") for number in range(5)]
        until(lambda: application.peers and application.peers[0].acknowledged, "the proxy knows the limit")
        peer.ping()
        assert application.early == 0 and upstream.connections < 10
        application.opened.set()
        for stream in streams:
            message = peer.response(stream)
            assert message.status == 200, message
    assert application.early == 0


def test_ten_thousand_streams_over_a_hundred_connections(make):
    application = Application()
    proxy = make.proxy([make.upstream(application)])
    peers = [dial(proxy) for _ in range(100)]
    for peer in peers:
        peer.until(lambda: peer.settings_seen, "SETTINGS")
        assert peer.remote[MAX_CONCURRENT_STREAMS] >= 100
    streams = {peer: [peer.request(f"/hold/{number}") for number in range(100)] for peer in peers}
    until(lambda: len(application.requests) == 10_000, "all are open at once", 60)
    assert sum(len(peer.still) for peer in application.peers) == 10_000
    memory = proxy.memory("RssAnon")
    application.release.set()
    for peer in peers:
        for stream in streams[peer]:
            message = peer.response(stream, 60)
            assert message.status == 200 and message.body.startswith(b"/hold/")
        peer.close()
    assert memory < 200 << 20, f"{memory >> 20} MiB for 10,000 streams"


# Ends of the proxy itself.

def test_drain_lets_streams_finish(make):
    application = Application()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as idle, dial(proxy) as busy:
        assert idle.ask("/x").status == 200
        held = busy.request("/hold")
        until(lambda: len(application.requests) == 2, "one is under way")
        proxy.may_end = True
        proxy.tell("drain 5")
        busy.until(lambda: busy.goaways, "GOAWAY")
        assert busy.goaways[0][1] == Code.NO_ERROR and busy.goaways[-1][0] >= held
        assert idle.until_end() == [Code.NO_ERROR] * len(idle.goaways) and idle.goaways, "an idle connection ends"
        application.release.set()
        assert busy.response(held).status == 200, "what was under way is answered"
        busy.until_end()
    until(lambda: not proxy.is_alive(), "the proxy has ended", 10)


def test_drain_ends_streams_at_its_deadline(make):
    application = Application()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer:
        stream = peer.request("/hold")
        until(lambda: application.requests, "one is under way")
        proxy.may_end = True
        begin = time.monotonic()
        proxy.tell("drain 1")
        peer.until_end(6)
        assert 0.8 < time.monotonic() - begin < 4
        assert not peer.streams[stream].ended, "cut off, and it looks so"
        application.release.set()


# What is counted and shown.

def test_counters_say_what_happened(pair):
    proxy, _, _ = pair
    with dial(proxy) as peer:
        for _ in range(7):
            assert peer.ask("/x").status == 200
        assert peer.ask("/status/503").status == 503
        stream = peer.request("/hold")
        peer.ping()
        peer.send(rst(stream, Code.CANCEL))
        peer.ping()
    def counted():
        totals = proxy.totals()
        return totals if totals["requests"] == 9 else None
    totals = until(counted, "nine requests")
    assert totals["responses"].get("200 success") == 7 and totals["responses"].get("503 failure") == 1


def test_taps_tell_request_response_and_end(make):
    proxy = make.proxy([make.upstream(Application())], "--tap")
    with dial(proxy) as peer:
        assert peer.ask("/tapped").status == 200
        until(lambda: sum(line.startswith("tap ") for line in proxy.lines) >= 3, "three events")
    events = [line for line in proxy.lines if line.startswith("tap ")]
    assert "request(" in events[0] and "/tapped" in events[0] and "response(" in events[1] and "end(" in events[2], events
    assert len({event.split()[1] for event in events}) == 1


@pytest.mark.parametrize("kind, reason", [("garbage", "malformed_message"), ("half", None)])
def test_http2_that_breaks_off_is_no_trouble(pair, kind, reason):
    proxy, application, _ = pair
    peer = dial(proxy)
    peer.ping()
    if kind == "garbage":
        peer.send(frame(DATA, 0, 0, b"x"))
        assert peer.until_end() == [Code.PROTOCOL_ERROR]
        until(lambda: proxy.totals()["failures"].get(reason), "it is counted")
    else:
        peer.send(b"\x00\x00\x10\x01\x05")
    peer.close()
    with dial(proxy) as peer:
        assert peer.ask("/after").status == 200
