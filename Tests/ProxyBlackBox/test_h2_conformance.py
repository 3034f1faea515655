# SPDX-License-Identifier: Apache-2.0
"""What RFC 9113 and RFC 7541 demand of an endpoint that is sent to by a downstream: one vector per demand, named by section.

A vector sends frames on a fresh connection. Its verdict says what must come back:
  connection(codes)  GOAWAY with one of the codes, then the end of the connection;
  stream(codes)      RST_STREAM of the vector's stream with one of the codes, and the connection serves on;
  served(status)     a response, and the connection serves on.
What is refused never reaches the application as a whole request, and with `unseen` not even its head.
"""
import struct, time
import pytest
from conftest import Upstream, start_proxy, until
from h2peer import *

PROTOCOL, FLOW, CLOSED, SIZE, COMPRESSION = (
    Code.PROTOCOL_ERROR, Code.FLOW_CONTROL_ERROR, Code.STREAM_CLOSED, Code.FRAME_SIZE_ERROR, Code.COMPRESSION_ERROR)
VECTORS = {}


class Verdict:
    def __init__(self, connection=(), stream=(), statuses=(), unseen=False, cut=False):
        self.connection, self.stream, self.statuses = set(connection), set(stream), set(statuses)
        self.unseen, self.cut = unseen, cut

    def __or__(self, other):
        return Verdict(self.connection | other.connection, self.stream | other.stream, self.statuses | other.statuses,
                       self.unseen and other.unseen, self.cut and other.cut)


def connection(*codes):
    return Verdict(connection=codes)


def stream(*codes):
    return Verdict(stream=codes)


#: A malformed head (§8.1.1): nothing of it goes on. A message that turns out malformed: it does not go on as a whole one.
UNSEEN, CUT = Verdict(stream=[PROTOCOL], unseen=True), Verdict(stream=[PROTOCOL], cut=True)


def served(*statuses):
    return Verdict(statuses=statuses or (200,))


def vector(name, verdict, raw=False):
    def add(function):
        assert name not in VECTORS
        VECTORS[name] = (verdict, function, raw)
        return function
    return add


def case(name, verdict, *parts):
    """A vector that only sends: `parts` are bytes, or functions of the attempt that make them."""
    @vector(name, verdict)
    def send(a):
        a.send(*(part(a) if callable(part) else part for part in parts))


class Attempt:
    """One vector's connection and the request it is about."""

    def __init__(self, peer, path):
        self.peer, self.path, self.stream = peer, path, 1
        self.final, self.wants_field = False, None

    def send(self, *parts, pieces=False):
        sent = b"".join(parts)
        self.peer.announce(sent)
        for at in range(len(sent) if pieces else 0):
            self.peer.send(sent[at:at + 1])
        if not pieces:
            self.peer.send(sent)

    def fields(self, extra=(), without=(), method="GET", first=(), path=None):
        base = [(":method", method), (":scheme", "http"), (":path", path or self.path), (":authority", "test")]
        return [*first, *(pair for pair in base if pair[0] not in without), *extra]

    def open(self, extra=(), without=(), end=True, stream=1, done=True, flags=0, **options):
        """HEADERS of a request."""
        return headers(stream, literal(*self.fields(extra, without, **options)), end, done, flags)

    def closed(self, stream=1):
        """A stream that has ended on both sides."""
        self.send(self.open(stream=stream))
        assert self.peer.response(stream).status == 200


def head(**options):
    return lambda a: a.open(**options)


def request(*extra, without=(), **options):
    return head(extra=extra, without=without, **options)


# §3.4, §4: preface, frame format, frame size.

@vector("3.4 the first frame is not SETTINGS", connection(PROTOCOL), raw=True)
def _(a):
    a.send(PREFACE, frame(PING, 0, 0, bytes(8)))


@vector("3.4 an empty SETTINGS frame is enough, and requests may follow at once", served(), raw=True)
def _(a):
    a.send(PREFACE + settings() + a.open())


@vector("3.4 a preface may come byte by byte", served(), raw=True)
def _(a):
    a.send(PREFACE + settings() + a.open(), pieces=True)


case("4.1 a frame of unknown type is ignored", served(), frame(0x16, 0xff, 0, bytes(100)), head())
case("4.1 a frame of unknown type on an idle stream is ignored", served(), frame(0x7f, 0, 99, bytes(8)), head())
case("4.1 undefined flags are ignored", served(), frame(PING, 0x16, 0, bytes(8)), head(flags=0x52))
case("4.1 the reserved bit of the stream is ignored", served(), frame(PING, 0, 1 << 31, bytes(8)), head())
case("4.2 DATA of 2^14 bytes", served(), head(end=False, method="POST"), data(1, bytes(16384), True))
case("4.2 DATA larger than SETTINGS_MAX_FRAME_SIZE", connection(SIZE) | stream(SIZE),
     head(end=False, method="POST"), data(1, bytes(16385), True))
case("4.2 HEADERS larger than SETTINGS_MAX_FRAME_SIZE", connection(SIZE), request(("x", "a" * 16400)))
case("4.2 SETTINGS larger than SETTINGS_MAX_FRAME_SIZE", connection(SIZE), settings(*[(0xaaaa, 1)] * 2731))
case("4.2 a frame of unknown type larger than SETTINGS_MAX_FRAME_SIZE", connection(SIZE) | served(),
     frame(0x16, 0, 0, bytes(16385)), head())
case("4.2 the largest length that a frame can say", connection(SIZE), frame(DATA, 0, 1, b"", 0xffffff), bytes(1000))
case("4.3 a header block that does not decode", connection(COMPRESSION), head(end=False), headers(3, b"\xff" * 20, True))
for name, between in {
        "PRIORITY": priority(1, 0), "HEADERS of another stream": headers(3, b"\x82"), "DATA": data(1, b"x"),
        "PING": frame(PING, 0, 0, bytes(8)), "SETTINGS": settings(), "WINDOW_UPDATE": window_update(0, 1),
        "RST_STREAM": rst(1, 8), "an unknown frame": frame(0x16, 0, 1, b"x"), "GOAWAY": goaway(0),
        "CONTINUATION of another stream": continuation(3, b"", True)}.items():
    case(f"4.3 a header block interrupted by {name}", connection(PROTOCOL), head(done=False), between, continuation(1, b"", True))


@vector("4.3 the table keeps its state across a refused request", served())
def _(a):
    a.stream, a.wants_field = 3, ("x-kept", "1")
    a.send(headers(1, literal(*a.fields([("X-UPPER", "v")])) + literal(("x-kept", "1"), first=0x40), True),
           headers(3, literal(*a.fields()) + integer(62, 7, 0x80), True))


# §5.1: states of a stream.

ANY_CLOSED = stream(CLOSED) | connection(CLOSED)
#: RFC 9113 lets an endpoint ignore what comes on a closed stream, as long as it is not taken for something new.
CLOSED_OR_IGNORED = ANY_CLOSED | connection(PROTOCOL) | served("ignored")
for name, what in {"DATA": data(1, b"x"), "RST_STREAM": rst(1, 8), "WINDOW_UPDATE": window_update(1, 100),
                   "CONTINUATION": continuation(1, b"\x82", True)}.items():
    case(f"5.1 idle: {name}", connection(PROTOCOL), what)
case("5.1 idle: PRIORITY is accepted", served(), priority(1, 0), head())
case("5.1 idle: DATA on an even stream", connection(PROTOCOL), data(2, b"x"))
case("5.1 half-closed (remote): DATA", ANY_CLOSED, head(path="/hold"), data(1, b"x", True))
case("5.1 half-closed (remote): HEADERS", ANY_CLOSED, head(path="/hold"), head(path="/hold"))
case("5.1 half-closed (remote): CONTINUATION", connection(PROTOCOL), head(path="/hold"), continuation(1, b"\x82", True))
case("5.1 half-closed (remote): WINDOW_UPDATE and PRIORITY are accepted", served(),
     head(), window_update(1, 100), priority(1, 0))
case("5.1 closed by RST_STREAM: DATA", CLOSED_OR_IGNORED,
     head(end=False, method="POST"), rst(1, 8), data(1, b"x", True))
case("5.1 closed by RST_STREAM: HEADERS", CLOSED_OR_IGNORED,
     head(end=False, method="POST"), rst(1, 8), head())
case("5.1 closed by RST_STREAM: CONTINUATION", connection(PROTOCOL),
     head(end=False, method="POST"), rst(1, 8), continuation(1, b"\x82", True))
case("5.1 closed by RST_STREAM: a second RST_STREAM is no error", served("ignored"),
     head(end=False, method="POST"), rst(1, 8), rst(1, 8))


def after_the_end(name, verdict, *parts):
    @vector(f"5.1 closed: {name}", verdict)
    def send(a):
        a.closed()
        a.stream = None
        a.send(*(part(a) if callable(part) else part for part in parts))


after_the_end("DATA", CLOSED_OR_IGNORED, data(1, b"x", True))
after_the_end("HEADERS", CLOSED_OR_IGNORED, head())
after_the_end("CONTINUATION", connection(PROTOCOL, CLOSED), continuation(1, b"\x82", True))
after_the_end("WINDOW_UPDATE is accepted", served("ignored"), window_update(1, 100))
after_the_end("RST_STREAM is accepted", served("ignored"), rst(1, 8))
after_the_end("PRIORITY is accepted", served("ignored"), priority(1, 3))

# §5.1.1, §5.1.2: ids and their number.

case("5.1.1 an even stream from a client", connection(PROTOCOL), head(stream=2))
case("5.1.1 a stream below one that was opened", connection(PROTOCOL, CLOSED), head(stream=5), head(stream=3))
case("5.1.1 HEADERS on stream 0", connection(PROTOCOL), head(stream=0))
case("5.1.1 streams may be left out", served(), head(stream=1), head(stream=101))


@vector("5.1.1 the largest stream", served())
def _(a):
    a.stream, a.final = MOST, True
    a.send(a.open(), a.open(stream=MOST))


@vector("5.1.2 more streams than SETTINGS_MAX_CONCURRENT_STREAMS", Verdict(stream=(Code.REFUSED_STREAM, PROTOCOL),
                                                                          connection=(PROTOCOL, Code.ENHANCE_YOUR_CALM)))
def _(a):
    a.final = True
    a.peer.until(lambda: a.peer.settings_seen, "SETTINGS have come")
    limit = a.peer.remote.get(MAX_CONCURRENT_STREAMS)
    assert limit is not None and 100 <= limit <= 10_000, f"§6.5.2 a limit of at least 100 and not without end: {limit}"
    a.path = "/hold" + a.path
    a.send(*[a.open(stream=1 + 2 * number) for number in range(limit)])
    a.peer.ping()
    a.stream = 1 + 2 * limit
    a.send(a.open(stream=a.stream))


# §5.3: priorities are ignored.

case("5.3 HEADERS with priority fields", served(), lambda a: a.prioritized(3, 255))
case("5.3 a stream that depends on itself, in HEADERS", served(), lambda a: a.prioritized(1, 1))
case("5.3 a stream that depends on itself, in PRIORITY", served(), priority(1, 1), head())
case("5.3 exclusive dependency on an idle stream", served(), priority(7, 1 << 31 | 9), head())
Attempt.prioritized = lambda self, dependency, weight: (
    headers(1, struct.pack(">IB", dependency, weight) + literal(*self.fields()), True, flags=PRIORITIZED))

# §5.4, §5.5.


@vector("5.4.1 GOAWAY names the last stream that was processed", connection(PROTOCOL))
def _(a):
    a.closed(1)
    a.stream = None
    a.send(data(0, b"x"))
    a.peer.until_end()
    assert a.peer.goaways and a.peer.goaways[-1][0] == 1, a.peer.goaways


@vector("5.4.2 RST_STREAM is not answered by RST_STREAM", served("ignored"))
def _(a):
    a.send(a.open(end=False, method="POST"), rst(1, 1))
    a.peer.ping()
    assert a.peer.streams[1].reset is None


# §6.1-§6.4: DATA, HEADERS, PRIORITY, RST_STREAM.

case("6.1 DATA on stream 0", connection(PROTOCOL), data(0, b"x"))
case("6.1 DATA with more padding than payload", connection(PROTOCOL), head(end=False, method="POST"),
     frame(DATA, PADDED | END_STREAM, 1, b"\x05abcd"))
case("6.1 DATA with padding as long as its payload", connection(PROTOCOL), head(end=False, method="POST"),
     frame(DATA, PADDED | END_STREAM, 1, b"\x01"))
case("6.1 padded DATA without the length of its padding", connection(PROTOCOL, SIZE), head(end=False, method="POST"),
     frame(DATA, PADDED | END_STREAM, 1, b""))
case("6.1 padded DATA", served(), head(end=False, method="POST"), data(1, b"abc", pad=5), data(1, b"", True, pad=255))
case("6.1 padding that is not zero", served() | connection(PROTOCOL), head(end=False, method="POST"),
     frame(DATA, PADDED | END_STREAM, 1, b"\x03abc\x01\x02\x03"))
case("6.1 DATA without payload", served(), head(end=False, method="POST"), data(1), data(1, b"x"), data(1, b"", True))
case("6.2 HEADERS with more padding than payload", connection(PROTOCOL), lambda a: headers(
    1, bytes([255]) + literal(*a.fields()), True, flags=PADDED))
case("6.2 padded HEADERS", served(), lambda a: headers(
    1, bytes([9]) + literal(*a.fields()) + bytes(9), True, flags=PADDED))
case("6.2 padded HEADERS with priority", served(), lambda a: headers(
    1, bytes([9]) + bytes(5) + literal(*a.fields()) + bytes(9), True, flags=PADDED | PRIORITIZED))
case("6.2 HEADERS too short for its priority fields", connection(SIZE, PROTOCOL), headers(1, bytes(4), True, flags=PRIORITIZED))
case("6.2 padded HEADERS without the length of its padding", connection(SIZE, PROTOCOL), headers(1, b"", True, flags=PADDED))
case("6.3 PRIORITY on stream 0", connection(PROTOCOL), priority(0, 1))
case("6.3 PRIORITY of another length", stream(SIZE) | connection(SIZE), head(end=False, method="POST"), frame(PRIORITY, 0, 1, bytes(4)))
case("6.4 RST_STREAM on stream 0", connection(PROTOCOL), rst(0, 8))
case("6.4 RST_STREAM of another length", connection(SIZE), head(end=False, method="POST"), frame(RST_STREAM, 0, 1, bytes(3)))

# §6.5: SETTINGS.

case("6.5 an acknowledgement with a payload", connection(SIZE), settings((1, 1), flags=ACK))
case("6.5 SETTINGS on a stream", connection(PROTOCOL), settings(stream=1))
case("6.5 SETTINGS whose length is not a multiple of 6", connection(SIZE), frame(SETTINGS, 0, 0, bytes(5)))
for value in (2, 0xffffffff):
    case(f"6.5.2 ENABLE_PUSH of {value}", connection(PROTOCOL), settings((ENABLE_PUSH, value)))
case("6.5.2 ENABLE_PUSH of 1 from a client", served(), settings((ENABLE_PUSH, 1)), head())
case("6.5.2 INITIAL_WINDOW_SIZE above 2^31-1", connection(FLOW), settings((INITIAL_WINDOW_SIZE, 1 << 31)))
for value in (0, 16383, 1 << 24, 0xffffffff):
    case(f"6.5.2 MAX_FRAME_SIZE of {value}", connection(PROTOCOL), settings((MAX_FRAME_SIZE, value)))
case("6.5.2 MAX_FRAME_SIZE of 2^24-1", served(), settings((MAX_FRAME_SIZE, (1 << 24) - 1)), head())
case("6.5.2 unknown settings are ignored", served(), settings((0, 1), (0xffff, 7), (0x99, 0)), head())
case("6.5.2 HEADER_TABLE_SIZE of 0 and of 2^32-1", served(), settings((1, 0)), settings((1, 0xffffffff)), head())
case("6.5.2 MAX_CONCURRENT_STREAMS of 0 concerns pushes only", served(), settings((MAX_CONCURRENT_STREAMS, 0)), head())


@vector("6.5.3 SETTINGS are acknowledged, each once", served())
def _(a):
    a.peer.until(lambda: a.peer.acknowledged == 1, "the first are acknowledged")
    for number in range(3):
        a.peer.configure((0x99, number))
    a.peer.ping()
    assert a.peer.acknowledged == 4
    a.send(a.open())


@vector("6.5.3 the last of several values of one SETTINGS frame counts", served())
def _(a):
    a.path = "/size/10"
    a.peer.credit = False
    a.peer.configure((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1))
    a.send(a.open())
    a.peer.until(lambda: len(a.peer.streams[1].body) == 1, "one byte comes")
    a.peer.ping()
    assert len(a.peer.streams[1].body) == 1
    a.peer.widen(1, 100)


# §6.6-§6.8: PUSH_PROMISE, PING, GOAWAY.

case("6.6 PUSH_PROMISE from a client", connection(PROTOCOL), lambda a: frame(
    PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + literal(*a.fields())))
case("8.4 PUSH_PROMISE from a client on an open stream", connection(PROTOCOL), head(end=False, method="POST"), lambda a: frame(
    PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + literal(*a.fields())))
case("6.7 PING on a stream", connection(PROTOCOL), frame(PING, 0, 1, bytes(8)))
for length in (0, 7, 9):
    case(f"6.7 PING of {length} bytes", connection(SIZE), frame(PING, 0, 0, bytes(length)))
case("6.7 an acknowledgement that nobody asked for is ignored", served(), frame(PING, ACK, 0, b"whatever"), head())


@vector("6.7 PING is answered with the same bytes", served())
def _(a):
    a.send(frame(PING, 0, 0, b"\x00\x01\xfe\xffabcd"), frame(PING, 0, 0, b"second!!"))
    a.peer.until(lambda: a.peer.pongs == [b"\x00\x01\xfe\xffabcd", b"second!!"], "both are answered in order")
    a.send(a.open())


case("6.8 GOAWAY on a stream", connection(PROTOCOL), frame(GOAWAY, 0, 1, bytes(8)))
case("6.8 GOAWAY of less than 8 bytes", connection(SIZE), frame(GOAWAY, 0, 0, bytes(7)))


@vector("6.8 streams that were opened before GOAWAY are still served", served())
def _(a):
    a.path = "/delay/50"
    a.final = True
    a.send(a.open() + goaway(0, 0, b"debug data"))


# §6.9: flow control.

case("6.9 WINDOW_UPDATE of 0 on the connection", connection(PROTOCOL), window_update(0, 0))
case("6.9 WINDOW_UPDATE of 0 on a stream", stream(PROTOCOL) | connection(PROTOCOL), head(end=False, method="POST"), window_update(1, 0))
case("6.9 WINDOW_UPDATE of another length", connection(SIZE), frame(WINDOW_UPDATE, 0, 0, bytes(3)))
case("6.9 WINDOW_UPDATE of another length on a stream", connection(SIZE), head(end=False, method="POST"),
     frame(WINDOW_UPDATE, 0, 1, bytes(5)))
case("6.9.1 the connection's window beyond 2^31-1", connection(FLOW), window_update(0, MOST), window_update(0, MOST))
case("6.9.1 a stream's window beyond 2^31-1", stream(FLOW) | connection(FLOW), head(end=False, method="POST"),
     window_update(1, MOST), window_update(1, MOST))
case("6.9.2 INITIAL_WINDOW_SIZE that takes a stream's window beyond 2^31-1", connection(FLOW),
     head(end=False, method="POST"), window_update(1, 1000), settings((INITIAL_WINDOW_SIZE, MOST)))


@vector("6.9.1 more DATA than the stream's window", stream(FLOW) | connection(FLOW))
def _(a):
    # The application opens neither of its windows again, so credit ends as well.
    a.path, sent = "/stuck" + a.path, 0
    a.peer.until(lambda: a.peer.settings_seen, "SETTINGS have come")
    a.send(a.open(end=False, method="POST"))
    refused = lambda: a.peer.end or a.peer.streams[1].reset is not None or a.peer.goaways
    while not refused() and sent <= a.peer.window(1) + (1 << 20):
        a.peer.answer(data(1, bytes(16384)))
        sent += 16384
        a.peer.step(0)
    a.peer.settle()
    assert refused(), "far more than the window was taken"


@vector("6.9.1 more DATA than the connection's window", connection(FLOW) | served("ignored"))
def _(a):
    # Each stream within its own window. A receiver that gives the connection's credit back at once is never overrun.
    a.path, a.stream = "/stuck" + a.path, None
    a.peer.until(lambda: a.peer.settings_seen, "SETTINGS have come")
    for number in range(90):
        stream = 1 + 2 * number
        a.peer.announce(opening := a.open(end=False, method="POST", stream=stream))
        a.peer.answer(opening)
        while a.peer.window(stream) > 0 and not a.peer.goaways and a.peer.send_window > -(1 << 20):
            size = min(16384, a.peer.window(stream))
            a.peer.answer(data(stream, bytes(size)))
            a.peer.spend(stream, size)
            a.peer.step(0)
        if a.peer.goaways:
            break
    a.peer.settle()
    assert a.peer.end or a.peer.goaways or a.peer.send_window >= -65536, "the connection's window was overrun and nobody said so"


@vector("6.9 credit comes back for DATA of a stream that is cancelled", served())
def _(a):
    for number in range(30):
        stream = a.peer.request("/stuck", method="POST", body=b"", end=False)
        a.peer.until(lambda: a.peer.send_window >= 20000, "the connection's window is open")
        a.peer.send_body(stream, bytes(20000), end=False)
        a.send(rst(stream, Code.CANCEL))
    a.stream = a.peer.next_stream
    a.peer.until(lambda: a.peer.send_window >= 20000, "the connection's window is open again")
    a.send(a.open(stream=a.stream))


@vector("6.9.1 a window of one byte is kept", served())
def _(a):
    a.path, a.peer.credit = "/size/3", False
    a.peer.configure((INITIAL_WINDOW_SIZE, 1))
    a.send(a.open())
    for count in (1, 2, 3):
        a.peer.until(lambda: len(a.peer.streams[1].body) == count, f"{count} bytes have come")
        a.peer.ping()
        assert len(a.peer.streams[1].body) == count
        a.peer.widen(1, 1)


@vector("6.9.1 a window of zero holds DATA but not heads", served())
def _(a):
    a.path, a.peer.credit = "/size/100", False
    a.peer.configure((INITIAL_WINDOW_SIZE, 0))
    a.send(a.open())
    a.peer.until(lambda: a.peer.streams[1].head, "the head has come")
    a.peer.ping()
    assert not a.peer.streams[1].body
    a.peer.configure((INITIAL_WINDOW_SIZE, 100))


@vector("6.9.2 a changed INITIAL_WINDOW_SIZE opens streams that wait", served())
def _(a):
    a.path, a.peer.credit = "/size/5", False
    a.peer.configure((INITIAL_WINDOW_SIZE, 0))
    a.send(a.open())
    a.peer.until(lambda: a.peer.streams[1].head, "the head has come")
    a.peer.configure((INITIAL_WINDOW_SIZE, 2))
    a.peer.until(lambda: len(a.peer.streams[1].body) == 2, "two bytes have come")
    a.peer.configure((INITIAL_WINDOW_SIZE, 5))


@vector("6.9.2 a window may become negative", served())
def _(a):
    a.path, a.peer.credit = "/size/20", False
    a.peer.configure((INITIAL_WINDOW_SIZE, 10))
    a.send(a.open())
    a.peer.until(lambda: len(a.peer.streams[1].body) == 10, "ten bytes have come")
    a.peer.configure((INITIAL_WINDOW_SIZE, 3))  # now -7
    a.peer.widen(1, 7)                          # now 0
    a.peer.ping()
    assert len(a.peer.streams[1].body) == 10
    a.peer.widen(1, 1)
    a.peer.until(lambda: len(a.peer.streams[1].body) == 11, "one byte has come")
    a.peer.widen(1, 100)


@vector("6.9.2 INITIAL_WINDOW_SIZE does not change the connection's window", served())
def _(a):
    a.path = "/size/100000"
    a.peer.credit = False
    a.peer.configure((INITIAL_WINDOW_SIZE, 1 << 20))
    a.send(a.open())
    a.peer.until(lambda: len(a.peer.streams[1].body) == 65535, "the connection's window is used")
    a.peer.ping()
    assert len(a.peer.streams[1].body) == 65535
    a.peer.widen(0, 1 << 20)


@vector("6.9 padding counts", served())
def _(a):
    # If it did not, windows would shrink until nothing may be sent: more padding than all windows together.
    a.path = "/echo" + a.path
    a.peer.until(lambda: a.peer.settings_seen, "SETTINGS have come")
    a.send(a.open(end=False, method="POST"))
    for number in range(1000):
        a.peer.until(lambda: min(a.peer.window(1), a.peer.send_window) > 256, "credit comes back")
        a.send(data(1, b"x", number == 999, pad=255))


@vector("6.9 credit comes back for DATA of a stream that was reset", served())
def _(a):
    for number in range(40):
        stream = a.peer.request("/reset-early/8", method="POST", body=b"", end=False)
        a.peer.send_body(stream, bytes(20000), end=True, seconds=5)
    a.peer.ping()
    a.stream = a.peer.next_stream
    a.peer.until(lambda: a.peer.send_window >= 16384, "the connection's window is open again")
    a.send(a.open(stream=a.stream))


# §6.10, §4.3: CONTINUATION.

@vector("6.10 a block in several CONTINUATIONs, some empty", served())
def _(a):
    block = literal(*a.fields([("x-long", "v" * 100)]))
    a.send(headers(1, block[:1], True, False), *[continuation(1, block[at:at + 1]) for at in range(1, 5)],
           continuation(1, b""), continuation(1, block[5:]), continuation(1, b"", True))


case("6.10 HEADERS without a block, then CONTINUATION", served(), lambda a: headers(1, b"", True, False),
     lambda a: continuation(1, literal(*a.fields()), True))
case("6.10 CONTINUATION on stream 0", connection(PROTOCOL), head(done=False), continuation(0, b"", True))
case("6.10 CONTINUATION behind END_HEADERS", connection(PROTOCOL), head(end=False, method="POST"), continuation(1, b"", True))
case("6.10 CONTINUATION behind a last CONTINUATION", connection(PROTOCOL), head(end=False, done=False, method="POST"),
     continuation(1, b"", True), continuation(1, b"", True))
case("6.10 CONTINUATION behind DATA", connection(PROTOCOL), head(end=False, method="POST"), data(1, b"x"), continuation(1, b"", True))

# §7: codes.

case("7 unknown codes in RST_STREAM and GOAWAY are no error", served(), head(end=False, stream=1, method="POST"), rst(1, 0xdead),
     lambda a: setattr(a, "stream", 3) or a.open(stream=3))

# §8.1: messages.

case("8.1 trailers", served(), head(end=False, method="POST"), data(1, b"x"), headers(1, literal(("x-sum", "1")), True))
case("8.1 trailers without DATA", served(), head(end=False, method="POST"), headers(1, literal(("x-sum", "1")), True))
case("8.1 a second HEADERS without END_STREAM", CUT, head(end=False, method="POST"), data(1, b"x"),
     headers(1, literal(("x-sum", "1"))), data(1, b"", True))
case("8.1 a pseudo-header in trailers", CUT, head(end=False, method="POST"), data(1, b"x"),
     headers(1, literal((":method", "GET")), True))
case("8.1 an unknown pseudo-header in trailers", CUT, head(end=False, method="POST"),
     headers(1, literal((":x", "y")), True))
case("8.1 an upper-case name in trailers", CUT, head(end=False, method="POST"), headers(1, literal(("X", "y")), True))
case("8.1.1 less DATA than content-length", CUT, request(("content-length", "5"), end=False, method="POST"),
     data(1, b"abcd", True))
case("8.1.1 more DATA than content-length", CUT, request(("content-length", "5"), end=False, method="POST"),
     data(1, b"abc"), data(1, b"def", True))
case("8.1.1 content-length of a request that ends with its head", CUT,
     request(("content-length", "1"), method="POST"))
case("8.1.1 less DATA than content-length before trailers", CUT,
     request(("content-length", "5"), end=False, method="POST"), data(1, b"abcd"), headers(1, literal(("x", "1")), True))
case("8.1.1 content-length that is right, in two DATA", served(), request(("content-length", "6"), end=False, method="POST"),
     data(1, b"abc"), data(1, b"def", True))
case("8.1.1 content-length of 0 and a head that ends", served(), request(("content-length", "0"), method="POST"))
case("8.1.1 content-length twice and the same", served() | UNSEEN, request(
    ("content-length", "1"), ("content-length", "1"), end=False, method="POST"), data(1, b"x", True))
for value in ("+1", "-1", "1, 1", "0x1", "", "1 ", "9" * 20, "a"):
    case(f"8.1.1 content-length of {value!r}", UNSEEN,
         request(("content-length", value), end=False, method="POST"), data(1, b"x", True))
case("8.1.1 two different values of content-length", UNSEEN,
     request(("content-length", "1"), ("content-length", "2"), end=False, method="POST"), data(1, b"x", True))

# §8.2: fields.

case("8.2.1 an upper-case name", UNSEEN, request(("X-Name", "v")))
case("8.2.1 one upper-case letter", UNSEEN, request(("x-namE", "v")))
for character in "\0\t\n\r !\"(),/:;<=>?@[\\]{}\x7f\x80\xff":
    if character in "!":
        continue
    case(f"8.2.1 a name with {character!r}", UNSEEN | served() if character in "\"(),/;<=>?@[\\]{}" else UNSEEN,
         request((f"x{character}y", "v")))
case("8.2.1 an empty name", UNSEEN, request(("", "v")))
for character in "\0\r\n":
    case(f"8.2.1 a value with {character!r}", UNSEEN, request(("x", f"a{character}b")))
for value in (" a", "a ", "\ta", "a\t"):
    case(f"8.2.1 a value of {value!r}", UNSEEN, request(("x", value)))
case("8.2.1 other bytes in a value pass", served(), request(("x", "a\tb c\x80\xff")), )
case("8.2.1 an empty value", served(), request(("x", "")))
case("8.2.1 NUL in :path", UNSEEN, lambda a: headers(1, literal(
    *[(n, v + "\0x" if n == ":path" else v) for n, v in a.fields()]), True))
case("8.2.1 blank in :path", UNSEEN | served(), lambda a: headers(1, literal(
    *[(n, v + " x" if n == ":path" else v) for n, v in a.fields()]), True))
case("8.2.1 CRLF in :method", UNSEEN, request(method="GET / HTTP/1.1\r\nx: y\r\n\r\n"))
case("8.2.1 NUL in a value of trailers", CUT, head(end=False, method="POST"),
     headers(1, literal(("x", "\0")), True))
for name, value in {"connection": "close", "proxy-connection": "keep-alive", "keep-alive": "timeout=5",
                    "transfer-encoding": "chunked", "upgrade": "websocket"}.items():
    case(f"8.2.2 {name}", UNSEEN, request((name, value)))
case("8.2.2 te: trailers", served(), request(("te", "trailers")))
for value in ("gzip", "trailers, deflate;q=0.5"):
    case(f"8.2.2 te: {value}", UNSEEN, request(("te", value)))
case("8.2.3 cookie crumbs", served(), request(("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")))

# §8.3: pseudo-headers.

case("8.3 an unknown pseudo-header", UNSEEN, request(first=[(":x", "y")]))
case("8.3 :status in a request", UNSEEN, request(first=[(":status", "200")]))
case("8.3 a pseudo-header behind a regular field", UNSEEN, lambda a: headers(
    1, literal(*a.fields(without=[":path"]), ("x", "y"), (":path", a.path)), True))
for name in (":method", ":scheme", ":path"):
    case(f"8.3.1 no {name}", UNSEEN, request(without=[name]))
for name, value in {":method": "GET", ":scheme": "http", ":path": "/", ":authority": "test"}.items():
    case(f"8.3.1 {name} twice", UNSEEN, request(first=[(name, value)]))
case("8.3.1 an empty :path", UNSEEN, request(without=[":path"], first=[(":path", "")]))
case("8.3.1 :path without a slash", UNSEEN, request(without=[":path"], first=[(":path", "noslash")]))
case("8.3.1 :path of * for OPTIONS", served(), request(without=[":path"], first=[(":path", "*")], method="OPTIONS"))
case("8.3.1 :path of * for GET", UNSEEN | served(400), request(without=[":path"], first=[(":path", "*")]))
case("8.3.1 an empty :method", UNSEEN, request(method=""))
case("8.3.1 a :method that is no token", UNSEEN, request(method="GE T"))
case("8.3.1 an empty :scheme", UNSEEN, request(without=[":scheme"], first=[(":scheme", "")]))
case("8.3.1 a method that nobody knows", served(), request(method="PROPFIND"))
case("8.3.1 no :authority but host", served(), request(("host", "test"), without=[":authority"]))
case("8.3.1 an empty :authority", UNSEEN | served(), request(without=[":authority"], first=[(":authority", "")]))
case("8.3.1 :authority and the same host", served(), request(("host", "test")))
case("8.3.1 :authority and another host", UNSEEN | served(400), request(("host", "other")))
case("8.3.1 :authority with user information", UNSEEN | served(400), request(
    without=[":authority"], first=[(":authority", "user@test")]))
case("8.3.1 two hosts", UNSEEN | served(400), request(("host", "test"), ("host", "other"), without=[":authority"]))
case("8.3.1 pseudo-headers in another order", served(), lambda a: headers(
    1, literal(*reversed(a.fields())), True))
case("8.5 CONNECT with :scheme and :path", UNSEEN, request(method="CONNECT"))
case("8.5 CONNECT without :authority", UNSEEN, request(method="CONNECT", without=[":scheme", ":path", ":authority"], end=False))
case("8.5 CONNECT with :scheme alone", UNSEEN, request(method="CONNECT", without=[":path"], end=False))
case("RFC 8441 4 :protocol without CONNECT", UNSEEN, request(first=[(":protocol", "websocket")]))
case("RFC 8441 4 extended CONNECT without :scheme and :path", UNSEEN, request(
    first=[(":protocol", "websocket")], method="CONNECT", without=[":scheme", ":path"], end=False))

# RFC 7541.


def coded(*parts, before=True):
    """A request whose block has these bytes behind (or before) its literal fields."""
    def make(a):
        block = literal(*a.fields())
        return headers(1, block + b"".join(parts) if before else b"".join(parts) + block, True)
    return make


BAD = connection(COMPRESSION)
case("RFC 7541 2.3.3 an index beyond both tables", BAD, coded(integer(70, 7, 0x80)))
case("RFC 7541 2.3.3 the first index of an empty dynamic table", BAD, coded(integer(62, 7, 0x80)))
case("RFC 7541 2.3.3 a literal whose name has no entry", BAD, coded(integer(70, 6, 0x40) + b"\x01v"))
case("RFC 7541 6.1 index 0", BAD, coded(b"\x80"))
case("RFC 7541 5.1 an integer that overflows", BAD, coded(b"\xff" + b"\xff" * 10 + b"\x01"))
case("RFC 7541 5.1 an integer with zeros behind it", BAD | served(),
     coded(b"\x00\x01x\x7f\x80\x80\x80\x80\x80\x00" + b"v" * 127))
case("RFC 7541 5.1 an integer that is cut off", BAD, coded(b"\xff"))
case("RFC 7541 5.2 a string that is cut off", BAD, coded(b"\x00\x05abc"))
case("RFC 7541 5.2 a length that overflows", BAD, coded(b"\x00\x7f\xff\xff\xff\xff\xff\x7f"))
case("RFC 7541 5.2 a string longer than the block", BAD, coded(b"\x00\x01x\x7f\x80\x80\x02ab"))
case("RFC 7541 5.2 Huffman padding of more than 7 bits", BAD, coded(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"))
case("RFC 7541 5.2 Huffman padding that is not the start of EOS", BAD, coded(b"\x00\x81\x18\x01v"))
case("RFC 7541 5.2 EOS in a Huffman string", BAD, coded(b"\x00\x01x\x84\xff\xff\xff\xff"))
case("RFC 7541 5.2 Huffman-coded name and value", served(), lambda a: headers(
    1, hpack.Encoder().encode(a.fields([("x-huffman", "the quick brown fox, 0123456789 ~")]), huffman=True), True))
case("RFC 7541 4.2 a table size update behind fields", BAD, coded(integer(0, 5, 0x20)))
case("RFC 7541 4.2 a table size update between fields", BAD, lambda a: headers(
    1, literal(*a.fields()) + integer(100, 5, 0x20) + literal(("x", "y")), True))
case("RFC 7541 6.3 a table size update above SETTINGS_HEADER_TABLE_SIZE", BAD, coded(integer(1 << 20, 5, 0x20), before=False))
case("RFC 7541 6.3 a table size update that overflows", BAD, coded(b"\x3f" + b"\xff" * 10, before=False))
case("RFC 7541 4.2 two table size updates at the beginning", served(),
     coded(integer(0, 5, 0x20), integer(4096, 5, 0x20), before=False))
case("RFC 7541 4.2 a block of nothing but a table size update", UNSEEN, headers(1, integer(0, 5, 0x20), True))
case("RFC 7541 6.2.3 a field that is never indexed", served(), lambda a: headers(
    1, literal(*a.fields(), first=0x10), True))
case("RFC 7541 4.4 an entry larger than the table empties it", BAD, lambda a: headers(
    1, literal(*a.fields()) + literal(("x", "y"), first=0x40) + literal(("big", "v" * 5000), first=0x40)
    + integer(62, 7, 0x80), True))


@vector("RFC 7541 4.4 the oldest entries are evicted", served())
def _(a):
    # 70 entries of 60 bytes: 68 fit into 4096, so the last index that exists is 61 + 68.
    many = b"".join(literal((f"n{number:03}", "v" * 24), first=0x40) for number in range(70))
    a.send(headers(1, literal(*a.fields()) + many + integer(61 + 68, 7, 0x80), True))


@vector("RFC 7541 4.4 an evicted entry is gone", BAD)
def _(a):
    many = b"".join(literal((f"n{number:03}", "v" * 24), first=0x40) for number in range(70))
    a.send(headers(1, literal(*a.fields()) + many + integer(61 + 69, 7, 0x80), True))


@vector("RFC 7541 4.3 a smaller table evicts", BAD)
def _(a):
    a.send(headers(3, literal(*a.fields()) + literal(("x", "y"), first=0x40), True),
           headers(5, integer(0, 5, 0x20) + integer(4096, 5, 0x20) + literal(*a.fields()) + integer(62, 7, 0x80), True))


@vector("RFC 7541 2.2 the table lives as long as the connection", served())
def _(a):
    encoder = hpack.Encoder()
    for number in range(50):
        a.send(headers(1 + 2 * number, encoder.encode(a.fields([("x-number", str(number % 7)), ("x-all", "v" * 50)])), True))
    for number in range(50):
        assert a.peer.response(1 + 2 * number).status == 200
    a.stream = 99


# Sizes.

def huge(a, *fields, **options):
    """A request in as many frames as it takes."""
    block = literal(*a.fields(fields, **options))
    pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    return headers(1, pieces[0], True, len(pieces) == 1) + b"".join(
        continuation(1, piece, piece is pieces[-1]) for piece in pieces[1:])


LARGE = served(431)
case("10.5.1 a field of 70,000 bytes", LARGE, lambda a: huge(a, ("x", "v" * 70000)))
case("10.5.1 fields of 80,000 bytes together", LARGE, lambda a: huge(a, *[(f"x{number}", "v" * 1000) for number in range(80)]))
case("10.5.1 201 fields", LARGE, lambda a: huge(a, *[("x", "y")] * 201))
case("10.5.1 60,000 bytes are served", served(), lambda a: huge(a, *[(f"x{number}", "v" * 1000) for number in range(58)]))
case("10.5.1 190 fields are served", served(), lambda a: huge(a, *[("x", "y")] * 190))
case("10.5.1 too large by indexed fields", LARGE, lambda a: headers(
    1, literal(*a.fields()) + literal(("x", "v" * 3000), first=0x40) + integer(62, 7, 0x80) * 100, True))


@vector("10.5.1 the tables agree behind a head that was too large", served())
def _(a):
    a.send(headers(1, literal(*a.fields()) + literal(("x-kept", "v" * 3000), first=0x40) + integer(62, 7, 0x80) * 100
                   + literal(("x-late", "w"), first=0x40), True))
    assert a.peer.response(1).status == 431 and a.peer.streams[1]["apus-proxy-error"] == "head_too_large"
    a.stream, a.wants_field = 3, ("x-late", "w")
    a.send(headers(3, literal(*a.fields()) + integer(62, 7, 0x80), True))


class Target(Application):
    """Also: /stuck takes no more than a window, /reset-early/CODE resets at once."""

    def on_head(self, peer, stream, message):
        path = message["path"] or ""
        if path.startswith("/stuck"):
            peer.stuck.add(stream)
        elif path.startswith("/reset-early"):
            peer.answer(rst(stream, int(path.split("/")[2])))


@pytest.fixture(scope="module")
def shared():
    """One proxy for all vectors: what one of them does must not concern the next."""
    application = Target()
    upstream = Upstream(application)
    made = {"proxy": start_proxy([upstream.port])}

    def proxy():
        if not made["proxy"].is_alive():
            made["proxy"].end()
            made["proxy"] = start_proxy([upstream.port])
        return made["proxy"]
    yield proxy, application
    application.release.set()
    made["proxy"].end()
    upstream.end()


@pytest.mark.parametrize("name", VECTORS)
def test_downstream(shared, name):
    proxy, application = shared[0](), shared[1]
    FAULTS.clear()
    verdict, function, raw = VECTORS[name]
    before = len(application.requests)
    with (RawPeer if raw else Peer)(proxy.connect()) as peer:
        a = Attempt(peer, f"/v{list(VECTORS).index(name)}")
        function(a)
        seen = judge(a, verdict)
    assert proxy.is_alive(), "the proxy died"
    assert seen is None, f"{name}: {seen}; {peer.describe()}"
    got = [m for _, _, m in application.requests[before:] if m["path"] not in ("/lives", "/hold")]
    assert not (verdict.unseen and got), f"refused, but the application got {got}"
    assert not (verdict.cut and [m for m in got if m.ended]), f"refused, but the application got all of {got}"
    assert not name.startswith("5.1 closed") or len(got) <= 1, f"a closed stream was opened again: {got}"
    if a.wants_field:
        assert any(a.wants_field in m.head for m in got), got
    assert not FAULTS, FAULTS


class RawPeer(Peer):
    """Whose preface is the vector's own business."""

    def __init__(self, connection):
        super().__init__(connection, server=True, hold_settings=True)
        self.server = False


def judge(a, verdict):
    """None, or what was seen instead of the verdict."""
    peer, deadline = a.peer, time.monotonic() + 5
    message = peer.streams.get(a.stream)
    ignored = "ignored" in verdict.statuses
    if ignored or (message is None and verdict.statuses):
        try:
            peer.ping()
        except (AssertionError, OSError) as error:
            if not verdict.connection:
                return f"the connection should live: {error}"
    while True:
        if peer.goaways and any(code for _, code in peer.goaways):
            try:
                peer.until_end()
            except AssertionError:
                return f"GOAWAY {peer.goaways}, but the connection does not end"
            wanted = {int(code) for code in verdict.connection}
            got = peer.goaways[-1][1]
            return None if got in wanted else f"a connection error {Code(got).name if got < 14 else got}"
        if message is not None and message.reset is not None:
            if message.reset not in {int(code) for code in verdict.stream}:
                return f"a stream error {Code(message.reset).name if message.reset < 14 else message.reset}"
            return None if a.final or lives(peer) else "the connection does not serve on after a stream error"
        if message is not None and message.ended:
            if not verdict.statuses:
                return after_answer(peer, message, verdict)
            if message.status not in verdict.statuses:
                return f"a response {message.status}"
            if message.status == 431 and message["apus-proxy-error"] != "head_too_large":
                return "431 without apus-proxy-error: head_too_large"
            return None if a.final or lives(peer) else "the connection does not serve on"
        if ignored or (message is None and verdict.statuses):
            return None if lives(peer) else "the connection does not serve on"
        if peer.end:
            return f"the connection ended without GOAWAY ({peer.end})"
        if time.monotonic() > deadline:
            return f"nothing within 5 s: {message}"
        peer.step(0.1)


def after_answer(peer, message, verdict):
    """The answer was quicker than the error: the error must still come where the connection has to end."""
    if verdict.connection and not verdict.stream:
        codes = peer.until_end()
        return None if codes and codes[-1] in {int(code) for code in verdict.connection} else f"GOAWAY {codes}"
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and message.reset is None and not peer.goaways and peer.step(0.1):
        pass
    if message.reset in {int(code) for code in verdict.stream} or peer.goaways and verdict.connection:
        return None
    return f"a response {message.status}, no error"


def lives(peer):
    """Whether another request on the same connection is served."""
    try:
        if not peer.credit:
            peer.credit = True
            peer.configure((INITIAL_WINDOW_SIZE, 65535))
        return peer.ask("/lives").status == 200
    except (AssertionError, OSError):
        return False


def test_bytes_that_only_resemble_a_preface_are_not_http2(make):
    received = []

    def upstream(connection):
        received.append(connection.recv(100))
        connection.sendall(b"opaque")
    proxy = make.proxy([make.upstream(upstream)])
    with proxy.connect() as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        assert connection.recv(100) == b"opaque"
    until(lambda: received, "passed on as they are")


def test_settings_of_the_proxy_are_sound(make):
    proxy = make.proxy([make.upstream(Application())])
    with dial(proxy) as peer:
        peer.until(lambda: peer.settings_seen, "SETTINGS come without a request")
        remote = peer.remote
        assert 16384 <= remote[MAX_FRAME_SIZE] < 1 << 24
        assert 65535 <= remote[INITIAL_WINDOW_SIZE] <= 4 << 20
        assert 100 <= remote[MAX_CONCURRENT_STREAMS] <= 10_000
        assert remote.get(ENABLE_PUSH, 0) == 0 and remote.get(ENABLE_CONNECT_PROTOCOL) == 1
        assert remote.get(MAX_HEADER_LIST_SIZE, 65536) == 65536
    assert FAULTS == []
