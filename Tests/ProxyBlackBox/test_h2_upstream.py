# SPDX-License-Identifier: Apache-2.0
"""What RFC 9113 and RFC 7541 demand of an endpoint that is answered by an upstream: one vector per demand, named by section.

A vector answers one POST. What must come of it:
  upstream  ends(codes): GOAWAY with one of the codes, then the end of the connection; resets(codes): RST_STREAM of the
            request, and the connection serves on; stays: neither.
  downstream  a status, FAILED (502 with a reason, or a reset: never a whole response), or RST(code).
The next request is served in any case, by a new connection where the old one had to end.
"""
import os, struct, time
import pytest
from conftest import reset, until
from h2peer import *

PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION = (
    Code.PROTOCOL_ERROR, Code.FLOW_CONTROL_ERROR, Code.STREAM_CLOSED, Code.FRAME_SIZE_ERROR, Code.COMPRESSION_ERROR)
FAILED, OK = "failed", 200
VECTORS = {}


class Verdict:
    def __init__(self, ends=(), resets=(), stays=False):
        self.ends, self.resets, self.stays = set(map(int, ends)), set(map(int, resets)), stays

    def __or__(self, other):
        return Verdict(self.ends | other.ends, self.resets | other.resets, self.stays or other.stays)


def ends(*codes):
    return Verdict(ends=codes)


def resets(*codes):
    return Verdict(resets=codes)


stays = Verdict(stays=True)
ANY = Verdict(stays=True)
ANY.any = True


def RST(code):
    return ("reset", code)


class Answer:
    """An upstream's hand on one stream."""

    def __init__(self, application, peer, stream, message):
        self.application, self.peer, self.stream, self.message = application, peer, stream, message

    def send(self, *parts):
        self.peer.announce(b"".join(parts))
        self.peer.answer(*parts)

    def head(self, *fields, end=False, status="200", flags=0):
        return headers(self.stream, literal(*([(":status", status)] if status is not None else []), *fields), end, True, flags)

    def ok(self):
        self.application.reply(self.peer, self.stream, self.message)


def vector(name, upstream, *downstream, settings=(), hold=False):
    """`downstream` is what is accepted there; `hold` acts on the connection instead of the request, before any SETTINGS."""
    def add(function):
        assert name not in VECTORS
        VECTORS[name] = (upstream, downstream, function, settings, hold)
        return function
    return add


def case(name, upstream, downstream, *parts, then_ok=False, **options):
    @vector(name, upstream, *(downstream if isinstance(downstream, list) else [downstream]), **options)
    def act(a):
        for part in parts:  # one after the other: a part may end the connection
            a.send(part(a) if callable(part) else part)
        if then_ok:
            a.ok()


def head(*fields, **options):
    return lambda a: a.head(*fields, **options)


def body(payload=b"", end=True, **options):
    return lambda a: data(a.stream, payload, end, **options)


# Connections: a bad beginning. Whatever the request has met, it may have been sent nowhere yet and be served elsewhere.

EITHER = [FAILED, OK]
case("3.4 the first frame is not SETTINGS", ends(PROTOCOL), EITHER, frame(PING, 0, 0, bytes(8)), hold=True)
case("3.4 the first frame is GOAWAY", ends(PROTOCOL) | ANY, EITHER, goaway(0), hold=True)
case("3.4 the first SETTINGS is an acknowledgement", ends(PROTOCOL), EITHER, settings(flags=ACK), hold=True)
case("3.4 HTTP/1.1 instead of a preface", ends(PROTOCOL, SIZE), EITHER,
     b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", hold=True)
case("6.5.2 a server sets ENABLE_PUSH to 1", ends(PROTOCOL), EITHER, settings((ENABLE_PUSH, 1)), hold=True)
case("6.5.2 a server sets ENABLE_PUSH to 2", ends(PROTOCOL), EITHER, settings((ENABLE_PUSH, 2)), hold=True)
case("6.5.2 a server sets ENABLE_PUSH to 0", stays, OK, settings((ENABLE_PUSH, 0)), then_ok=True)
case("6.5.2 INITIAL_WINDOW_SIZE above 2^31-1", ends(FLOW), EITHER, settings((INITIAL_WINDOW_SIZE, 1 << 31)), hold=True)
for value in (16383, 1 << 24):
    case(f"6.5.2 MAX_FRAME_SIZE of {value}", ends(PROTOCOL), EITHER, settings((MAX_FRAME_SIZE, value)), hold=True)
case("6.5 SETTINGS whose length is not a multiple of 6", ends(SIZE), EITHER, frame(SETTINGS, 0, 0, bytes(7)), hold=True)
case("6.5.2 unknown settings are ignored", stays, OK, settings((0x99, 1), (0, 0)), then_ok=True)
case("6.5.2 HEADER_TABLE_SIZE of 0", stays, OK, settings((HEADER_TABLE_SIZE, 0)), then_ok=True)

# Connections: errors while a request is under way.

for name, code, bad in [
        ("6.5 an acknowledgement with a payload", SIZE, settings((1, 1), flags=ACK)),
        ("6.5 SETTINGS on a stream", PROTOCOL, settings(stream=1)),
        ("6.1 DATA on stream 0", PROTOCOL, data(0, b"x")),
        ("6.2 HEADERS on stream 0", PROTOCOL, headers(0, b"\x88")),
        ("6.3 PRIORITY on stream 0", PROTOCOL, priority(0, 1)),
        ("6.4 RST_STREAM on stream 0", PROTOCOL, rst(0, 8)),
        ("6.7 PING on a stream", PROTOCOL, frame(PING, 0, 1, bytes(8))),
        ("6.7 PING of 7 bytes", SIZE, frame(PING, 0, 0, bytes(7))),
        ("6.8 GOAWAY on a stream", PROTOCOL, frame(GOAWAY, 0, 1, bytes(8))),
        ("6.8 GOAWAY of 4 bytes", SIZE, frame(GOAWAY, 0, 0, bytes(4))),
        ("6.9 WINDOW_UPDATE of 0 on the connection", PROTOCOL, window_update(0, 0)),
        ("6.9 WINDOW_UPDATE of 3 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(3))),
        ("6.9.1 the connection's window beyond 2^31-1", FLOW, window_update(0, MOST) * 2),
        ("6.9.2 INITIAL_WINDOW_SIZE that takes a stream's window beyond 2^31-1", FLOW,
         lambda a: window_update(a.stream, 1 << 30) + settings((INITIAL_WINDOW_SIZE, MOST))),
        ("6.10 CONTINUATION without HEADERS", PROTOCOL, lambda a: continuation(a.stream, b"\x88", True)),
        ("6.6 PUSH_PROMISE although push is disabled", PROTOCOL, lambda a: frame(
            PUSH_PROMISE, END_HEADERS, a.stream, struct.pack(">I", 2) + literal((":method", "GET"), (":path", "/")))),
        ("6.6 PUSH_PROMISE on stream 0", PROTOCOL, frame(PUSH_PROMISE, END_HEADERS, 0, struct.pack(">I", 2))),
        ("5.1 HEADERS on a stream that was never opened", PROTOCOL, headers(99, b"\x88", True)),
        ("5.1 HEADERS on an even stream", PROTOCOL, headers(2, b"\x88", True)),
        ("5.1 DATA on a stream that was never opened", PROTOCOL, data(99, b"x")),
        ("5.1 RST_STREAM on a stream that was never opened", PROTOCOL, rst(99, 8)),
        ("5.1 WINDOW_UPDATE on a stream that was never opened", PROTOCOL, window_update(99, 1)),
        ("4.2 a frame larger than SETTINGS_MAX_FRAME_SIZE", SIZE, frame(SETTINGS, 0, 0, bytes(6 * 2800))),
        ("4.2 the largest length that a frame can say", SIZE, frame(DATA, 0, 1, b"", 0xffffff) + bytes(100)),
        ("4.3 a header block interrupted by PING", PROTOCOL,
         lambda a: headers(a.stream, b"\x88", done=False) + frame(PING, 0, 0, bytes(8))),
        ("4.3 a header block interrupted by DATA", PROTOCOL,
         lambda a: headers(a.stream, b"\x88", done=False) + data(a.stream, b"x")),
        ("6.4 RST_STREAM of 3 bytes", SIZE, lambda a: frame(RST_STREAM, 0, a.stream, bytes(3))),
        ("6.1 DATA with more padding than payload", PROTOCOL,
         lambda a: a.head() + frame(DATA, PADDED | END_STREAM, a.stream, b"\x09abc")),
        ("6.2 HEADERS with more padding than payload", PROTOCOL,
         lambda a: frame(HEADERS, PADDED | END_HEADERS | END_STREAM, a.stream, b"\x09\x88")),
        ("RFC 7541 2.3.3 an index beyond both tables", COMPRESSION, lambda a: headers(a.stream, b"\x88" + integer(70, 7, 0x80))),
        ("RFC 7541 6.1 index 0", COMPRESSION, lambda a: headers(a.stream, b"\x88\x80")),
        ("RFC 7541 4.2 a table size update behind fields", COMPRESSION, lambda a: headers(a.stream, b"\x88\x20")),
        ("RFC 7541 6.3 a table size update above the limit", COMPRESSION,
         lambda a: headers(a.stream, integer(1 << 20, 5, 0x20) + b"\x88")),
        ("RFC 7541 5.2 EOS in a Huffman string", COMPRESSION, lambda a: headers(a.stream, b"\x88\x00\x01x\x84\xff\xff\xff\xff")),
        ("RFC 7541 5.2 a string that is cut off", COMPRESSION, lambda a: headers(a.stream, b"\x88\x00\x05ab"))]:
    case(name, ends(code), FAILED, bad)

# Streams: errors of one stream leave the others alone.

for name, code, bad in [
        ("6.9 WINDOW_UPDATE of 0 on a stream", PROTOCOL, lambda a: window_update(a.stream, 0)),
        ("6.9.1 a stream's window beyond 2^31-1", FLOW, lambda a: window_update(a.stream, MOST) * 2),
        ("6.3 PRIORITY of another length", SIZE, lambda a: frame(PRIORITY, 0, a.stream, bytes(4)))]:
    case(name, resets(code) | ends(code), FAILED, bad)
for name, parts in {
        "8.1 DATA before a head": [body(b"x")],
        "8.3.2 no :status": [head(("x", "y"), status=None), body(b"x")],
        "8.3.2 no field at all": [lambda a: headers(a.stream, b"", True)],
        "8.3.2 :status twice": [head((":status", "200")), body(b"x")],
        "8.3.2 :method in a response": [head((":method", "GET")), body(b"x")],
        "8.3 an unknown pseudo-header": [head((":x", "y")), body(b"x")],
        "8.3 a pseudo-header behind a regular field": [
            lambda a: headers(a.stream, literal(("x", "y"), (":status", "200")), True)],
        "8.2.1 an upper-case name": [head(("X-Name", "v")), body(b"x")],
        "8.2.1 an empty name": [head(("", "v")), body(b"x")],
        "8.2.1 a name with a blank": [head(("x y", "v")), body(b"x")],
        "8.2.1 a value with CRLF": [head(("x", "a\r\nb: c")), body(b"x")],
        "8.2.1 a value with NUL": [head(("x", "a\0b")), body(b"x")],
        "8.2.1 a value that begins with a blank": [head(("x", " a")), body(b"x")],
        "8.2.2 connection": [head(("connection", "close")), body(b"x")],
        "8.2.2 transfer-encoding": [head(("transfer-encoding", "chunked")), body(b"x")],
        "8.2.2 upgrade": [head(("upgrade", "websocket")), body(b"x")],
        "8.6 status 101": [head(status="101", end=True)],
        "8.1 an interim response that ends the stream": [head(status="103", end=True)],
        "8.1.1 content-length of a head that ends": [head(("content-length", "5"), end=True)],
        "8.1.1 content-length that is no number": [head(("content-length", "x")), body(b"x")],
        "8.1.1 two values of content-length": [head(("content-length", "1"), ("content-length", "2")), body(b"x")],
}.items():
    case(name, resets(PROTOCOL), FAILED, *parts)
for status in ("", "20", "2000", "abc", "-20", "099", "2 0"):
    case(f"8.3.2 :status of {status!r}", resets(PROTOCOL), FAILED, head(status=status), body(b"x"))
for name, parts in {
        "8.1.1 less DATA than content-length": [head(("content-length", "5")), body(b"abcd")],
        "8.1.1 more DATA than content-length": [head(("content-length", "3")), body(b"abcd")],
        "8.1.1 less DATA than content-length before trailers": [
            head(("content-length", "5")), body(b"abcd", False), lambda a: headers(a.stream, literal(("x", "1")), True)],
        "8.1 trailers without END_STREAM": [
            head(), body(b"x", False), lambda a: headers(a.stream, literal(("x", "1"))), body()],
        "8.1 :status in trailers": [
            head(), body(b"x", False), lambda a: headers(a.stream, literal((":status", "200")), True)],
        "8.1 an upper-case name in trailers": [head(), body(b"x", False), lambda a: headers(a.stream, literal(("X", "1")), True)],
}.items():
    case(name, resets(PROTOCOL), FAILED, *parts)


@vector("6.9.1 more DATA than the stream's window", resets(FLOW) | ends(FLOW), FAILED)
def _(a):
    # The downstream takes no more than its own 64 KiB (the test sees to that), so credit ends.
    a.send(a.head())
    while not a.peer.end and a.message.reset is None and not a.peer.goaways and a.peer.window(a.stream) > -(4 << 20):
        a.send(data(a.stream, bytes(16384)))
        a.peer.step(0)
    a.peer.settle()


# What must be understood.

case("4.1 frames of unknown type are ignored", stays, OK, frame(0x16, 0xff, 0, bytes(99)), lambda a: frame(0x20, 1, a.stream, b"x"),
     then_ok=True)
case("5.3 PRIORITY is ignored", stays, OK, lambda a: priority(a.stream, a.stream), priority(99, 3), then_ok=True)
case("5.3 HEADERS with priority fields", stays, OK, lambda a: frame(
    HEADERS, PRIORITIZED | END_HEADERS | END_STREAM, a.stream, struct.pack(">IB", a.stream, 1) + b"\x88"))
case("6.1 padded DATA", stays, OK, head(), lambda a: data(a.stream, b"abc", pad=200), body(b"", pad=255))
case("6.2 padded HEADERS", stays, OK, lambda a: frame(
    HEADERS, PADDED | END_HEADERS | END_STREAM, a.stream, b"\x05\x88" + bytes(5)))
case("6.10 a head in CONTINUATIONs", stays, OK, lambda a: headers(a.stream, b"", True, False),
     lambda a: continuation(a.stream, b"\x88"), lambda a: continuation(a.stream, b""),
     lambda a: continuation(a.stream, literal(("x", "y")), True))
case("8.1 interim responses", stays, OK, head(status="103"), head(("x", "y"), status="100"), then_ok=True)
case("8.1 trailers", stays, OK, head(), body(b"x", False), lambda a: headers(a.stream, literal(("x-sum", "1")), True))
case("8.1 trailers without DATA", stays, OK, head(), lambda a: headers(a.stream, literal(("x-sum", "1")), True))
case("8.3.2 any status of three digits", stays, 599, head(status="599"), body(b"x"))
case("8.2.1 other bytes in a value pass", stays, OK, head(("x", "a\tb \x80\xff")), body(b"x"))
case("6.5.3 SETTINGS in the middle of a response", stays, OK, head(), body(b"x", False),
     settings((INITIAL_WINDOW_SIZE, 100), (MAX_FRAME_SIZE, 20000)), body(b"y"))
case("RFC 7541 4.2 table size updates at the beginning", stays, OK, lambda a: headers(
    a.stream, integer(0, 5, 0x20) + integer(4096, 5, 0x20) + b"\x88", True))
case("RFC 7541 6.2.3 fields that are never indexed", stays, OK, lambda a: headers(
    a.stream, b"\x88" + literal(("x-secret", "v"), first=0x10), True))
case("5.1 DATA behind the end", ends(CLOSED, PROTOCOL) | resets(CLOSED) | stays, OK, head(), body(b"x"), body(b"y"))
case("5.1 HEADERS behind the end", ends(CLOSED, PROTOCOL) | resets(CLOSED) | stays, OK, head(), body(b"x"), head(end=True))
case("5.1 WINDOW_UPDATE and RST_STREAM behind the end", stays, OK, head(), body(b"x"),
     lambda a: window_update(a.stream, 1) + rst(a.stream, 0))


@vector("6.7 PING is answered with the same bytes", stays, OK)
def _(a):
    a.send(frame(PING, 0, 0, b"\x01abcdef\xff"))
    a.peer.until(lambda: b"\x01abcdef\xff" in a.peer.pongs, "the answer")
    a.ok()


@vector("6.5.3 SETTINGS are acknowledged, each once", stays, OK)
def _(a):
    for number in range(3):
        a.peer.configure((0x99, number))
    a.peer.ping()
    assert a.peer.acknowledged == 4, a.peer.acknowledged
    a.ok()


# Refusals, resets, ends.

for code in (1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 0xdead):
    case(f"6.4 RST_STREAM {code} passes", stays, RST(code), lambda a, code=code: rst(a.stream, code))
    case(f"6.4 RST_STREAM {code} behind a head passes", stays, RST(code), head(), lambda a, code=code: rst(a.stream, code))
case("8.1 a whole response, then RST_STREAM NO_ERROR", stays, OK, head(), body(b"x"), lambda a: rst(a.stream, 0))
case("8.7 REFUSED_STREAM is tried again", stays, OK, lambda a: rst(a.stream, 7))
case("6.8 GOAWAY below the request: tried again", ANY, OK, goaway(0))
case("6.8 GOAWAY below the request, then the end", ANY, OK, goaway(0), lambda a: a.peer.connection.shutdown(2) or b"")
case("6.8 GOAWAY with the request, then its response", ANY, OK, goaway(MOST), lambda a: goaway(a.stream), then_ok=True)
case("6.8 GOAWAY with an error and the request, then the end", ANY, FAILED,
     lambda a: goaway(a.stream, 2), lambda a: a.peer.connection.shutdown(2) or b"")
case("an end before the head", ANY, FAILED, lambda a: a.peer.connection.shutdown(2) or b"")
case("a reset before the head", ANY, FAILED, lambda a: reset(a.peer.connection) or b"")
case("an end behind the head", ANY, FAILED, head(), body(b"x", False), lambda a: a.peer.connection.shutdown(2) or b"")
case("a reset behind the head", ANY, FAILED, head(), body(b"x", False), lambda a: reset(a.peer.connection) or b"")
case("an end in the middle of a frame", ANY, FAILED, head(), b"\0\0\x09\0", lambda a: a.peer.connection.shutdown(2) or b"")

# Sizes.


def large(a, *fields):
    block = b"\x88" + literal(*fields)
    pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    return headers(a.stream, pieces[0], True, len(pieces) == 1) + b"".join(
        continuation(a.stream, piece, piece is pieces[-1]) for piece in pieces[1:])


case("10.5.1 a head of 60,000 bytes", stays, OK, lambda a: large(a, *[(f"x{number}", "v" * 1000) for number in range(58)]))
case("10.5.1 a head of 70,000 bytes", ANY, FAILED, lambda a: large(a, ("x", "v" * 70000)))
case("10.5.1 a bomb of indexed fields", ANY, FAILED, lambda a: headers(
    a.stream, b"\x88" + literal(("x", "v" * 3000), first=0x40) + integer(62, 7, 0x80) * 5000, True))


class Hostile(Application):
    """Acts as the vector says for the first request or connection, then as any other."""

    def __init__(self, act, settings, hold):
        super().__init__(settings)
        self.act, self.hold, self.acted = act, hold, []

    def __call__(self, connection):
        if not self.hold or self.acted:
            return super().__call__(connection)
        peer = Peer(connection, server=True, hold_settings=True)
        self.acted.append((peer, 1))
        self.peers.append(peer)
        if peer.accept_preface():
            self.act(Answer(self, peer, 1, None))
            while peer.step(60):
                pass

    def on_request(self, peer, stream, message):
        if self.acted:
            return self.reply(peer, stream, message)
        self.acted.append((peer, stream))
        self.act(Answer(self, peer, stream, message))


@pytest.mark.parametrize("name", VECTORS)
def test_upstream(make, name):
    FAULTS.clear()
    upstream, downstream, act, own_settings, hold = VECTORS[name]
    application = Hostile(act, own_settings, hold)
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer, dial(proxy) as other:
        other.until(lambda: other.settings_seen, "another connection is there")
        peer.credit = name != "6.9.1 more DATA than the stream's window"
        stream = peer.request("/first", method="POST", body=b"x")
        message = peer.response(stream, 8)
        assert any(matches(message, wanted) for wanted in downstream), f"{name}: the downstream has {message}"
        until(lambda: application.acted, "the vector has been played")
        hostile, hostile_stream = application.acted[0]
        if not upstream.stays:
            until(lambda: met(upstream, hostile, hostile_stream), f"{upstream.__dict__}; {hostile.describe()}", 5)
        # Whoever was not concerned is served on: another connection, and another stream of the same one.
        assert other.ask("/other").status == 200
        peer.credit = True
        if peer.receive_window < 65535:
            peer.widen(0, 65535 - peer.receive_window)
        assert peer.ask("/next").status == 200
        if not upstream.ends and not getattr(upstream, "any", False):
            assert len(application.peers) == 1, "an error of one stream has cost the connection"
            assert hostile.goaways == [] and not hostile.end
        if upstream.stays and not upstream.resets and downstream != (FAILED,) and not hold:
            assert hostile.streams[hostile_stream].reset is None
    assert not FAULTS, FAULTS


def matches(message, wanted):
    if wanted == FAILED:
        return message.reset is not None or (
            message.status in (502, 503, 504) and (message["apus-proxy-error"] or "APUS_REFERENCE" in os.environ))
    if isinstance(wanted, tuple):
        return message.reset == wanted[1] and not message.ended
    return message.status == wanted and message.ended and message.reset is None


def met(verdict, peer, stream):
    if verdict.ends and peer.end:
        return bool(peer.goaways) and peer.goaways[-1][1] in verdict.ends
    message = peer.streams.get(stream)
    return bool(verdict.resets and message and message.reset in verdict.resets)


def test_what_the_proxy_tells_an_upstream(make):
    application = Application()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer:
        assert peer.ask("/x").status == 200
    remote = application.peers[0].remote
    assert remote.get(ENABLE_PUSH) == 0, "a client that wants no pushes says so"
    assert 65535 <= remote[INITIAL_WINDOW_SIZE] <= 4 << 20 and 16384 <= remote[MAX_FRAME_SIZE] < 1 << 24
    assert not FAULTS, FAULTS


@pytest.mark.parametrize("size", [0, 100, 4096, 65536])
def test_the_upstreams_table_size_is_kept(make, size):
    """RFC 7541 §4.2: whatever the peer allows; Peer's decoder refuses more."""
    FAULTS.clear()
    application = Application(settings=[(HEADER_TABLE_SIZE, size)])
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy, settings=[(HEADER_TABLE_SIZE, size)]) as peer:
        for number in range(60):
            message = peer.ask(f"/x{number}", fields=[(f"x-{number}", "v" * 70), ("x-same", "w" * 50)])
            assert message.status == 200
    assert [m[f"x-{number}"] for number, (_, _, m) in enumerate(application.requests)] == ["v" * 70] * 60
    assert not FAULTS, FAULTS


@pytest.mark.parametrize("size", [16384, 20000, (1 << 24) - 1])
def test_frame_sizes_of_both_sides_are_kept(make, size):
    """§4.2: Peer's audit asserts that no frame is larger than it has allowed; and bodies arrive whole."""
    FAULTS.clear()
    application = Application(settings=[(MAX_FRAME_SIZE, size), (INITIAL_WINDOW_SIZE, 1 << 20)])
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy, settings=[(INITIAL_WINDOW_SIZE, 1 << 20)]) as peer:
        body = bytes(range(256)) * 2000
        assert peer.ask("/echo", method="POST", body=body).body == body
        long = [(f"x{number}", "v" * 900) for number in range(50)]
        assert peer.ask("/x", fields=long).status == 200
    assert not FAULTS, FAULTS
