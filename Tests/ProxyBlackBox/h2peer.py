# SPDX-License-Identifier: Apache-2.0
"""An HTTP/2 peer by frames (RFC 9113), for both roles. What it sends is written byte by byte, so that it may be wrong on
purpose; what it receives it audits: sizes, windows, stream ids and HPACK (PyPI's `hpack`) of everything the proxy sends.
"""
import collections, enum, heapq, pathlib, select, socket, struct, sys, threading, time

PEERS = pathlib.Path(__file__).resolve().parent.parent.parent / ".build/peers"
sys.path.insert(0, str(PEERS))
try:
    import hpack
except ImportError:
    raise ImportError(f"PyPI's hpack is not in {PEERS}: run make setup") from None

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8  # RFC 8441
MOST = (1 << 31) - 1
Code = enum.IntEnum("Code", "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
                    "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM "
                    "INADEQUATE_SECURITY HTTP_1_1_REQUIRED", start=0)
Frame = collections.namedtuple("Frame", "kind flags stream payload")
#: What the proxy did that no peer may do. Tests end by asserting that it is empty.
FAULTS = []


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    return struct.pack(">IBI", (len(payload) if length is None else length) << 8 | kind, flags, stream) + payload


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def data(stream, payload=b"", end=False, pad=None, flags=0):
    if pad is not None:
        flags, payload = flags | PADDED, bytes([pad]) + payload + bytes(pad)
    return frame(DATA, flags | (END_STREAM if end else 0), stream, payload)


def headers(stream, block, end=False, done=True, flags=0):
    return frame(HEADERS, flags | (END_STREAM if end else 0) | (END_HEADERS if done else 0), stream, block)


def continuation(stream, block=b"", done=False):
    return frame(CONTINUATION, END_HEADERS if done else 0, stream, block)


def rst(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=0, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def priority(stream, dependency, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", dependency, weight))


def integer(value, prefix, first=0):
    """An HPACK integer (RFC 7541 §5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def literal(*fields, first=0x00):
    """Fields as literals without indexing and without Huffman coding: a block that leaves no trace in any table."""
    block = b""
    for name, value in fields:
        name, value = (part if isinstance(part, bytes) else part.encode("latin-1") for part in (name, value))
        block += bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value
    return block


class Message:
    """What has come on one stream: heads, body, trailers, an end."""

    def __init__(self):
        self.interim, self.head, self.trailers = [], None, None
        self.body, self.ended, self.reset, self.delayed = bytearray(), False, None, False

    def __repr__(self):
        return (f"<{self.interim or ''} {self.head} body={len(self.body)} trailers={self.trailers} "
                f"ended={self.ended} reset={self.reset}>")

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    @property
    def status(self):
        return int(self["status"]) if self.head else None

    def __getitem__(self, name):
        """The first value of a field of the head, or of the trailers, or None. `status` for `:status`."""
        for key, value in (self.head or []) + (self.trailers or []):
            if key in (name, ":" + name):
                return value
        return None


class Peer:
    """One connection, one thread. `server` is the role: whose streams are odd and who sends the preface.

    `credit=False` never opens a window again; `hold_settings=True` sends no SETTINGS by itself.
    """

    def __init__(self, connection, server=False, settings=(), credit=True, hold_settings=False):
        self.connection, self.server, self.credit = connection, server, credit
        self.buffer, self.at = bytearray(), 0
        self.poller = select.poll()  # not select, whose numbers end at 1,024
        self.poller.register(connection, select.POLLIN)
        self.end = None  # "end" or "reset" once the connection has ended
        self.streams, self.frames, self.kept = {}, collections.Counter(), collections.deque(maxlen=200)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.remote = {INITIAL_WINDOW_SIZE: 65535, MAX_FRAME_SIZE: 16384}
        self.own = {INITIAL_WINDOW_SIZE: 65535, MAX_FRAME_SIZE: 16384}
        self.unacknowledged = collections.deque()
        self.acknowledged, self.settings_seen, self.pongs = 0, 0, []
        self.send_window, self.send_windows = 65535, {}
        self.receive_window, self.receive_windows = 65535, {}
        self.goaways, self.next_stream, self.block = [], 1, None
        self.highest, self.timers, self.held, self.stuck = 0, [], [], set()
        self.outgoing, self.is_eager = {}, False
        self.automatic, self.keep_bodies = True, True  # answers SETTINGS and PING; keeps what DATA carries
        self.on_head = self.on_data = self.on_end = self.on_reset = lambda stream, *_: None
        if not server:
            self.send(PREFACE)
        if not hold_settings:
            self.configure(*settings)

    # What goes out.

    def send(self, *parts):
        self.connection.sendall(b"".join(parts))

    def configure(self, *pairs):
        self.unacknowledged.append(dict(pairs))
        self.send(settings(*pairs))

    def encode(self, fields):
        return self.encoder.encode([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])

    def send_head(self, stream, fields, end):
        """Fields in as many frames as it takes."""
        block, most = self.encode(fields), self.remote[MAX_FRAME_SIZE]
        pieces = [block[at:at + most] for at in range(0, len(block), most)] or [b""]
        self.send(headers(stream, pieces[0], end, len(pieces) == 1),
                  *[continuation(stream, piece, piece is pieces[-1]) for piece in pieces[1:]])

    def request(self, path="/", method="GET", fields=(), body=None, end=True, scheme="http", authority="test", pseudo=()):
        """Sends a request and returns its stream; with `end=False` the stream stays open behind the body."""
        stream = self.next_stream
        self.next_stream += 2
        head = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *pseudo, *fields]
        self.open(stream)
        self.send_head(stream, head, end and body is None)
        if body is not None:
            self.send_body(stream, body, end)
        return stream

    def respond(self, stream, status=200, fields=(), body=None, trailers=None):
        """A whole response; `body=None` is one without DATA."""
        self.send_head(stream, [(":status", str(status)), *fields], body is None and trailers is None)
        if body is not None or trailers is not None:
            self.pour(stream, [body or b""], trailers)

    def pour(self, stream, chunks, trailers=None):
        """Has a body sent as windows allow, beside those of other streams, by whoever calls `step`."""
        self.outgoing[stream] = [memoryview(b""), iter(chunks), trailers]
        self.pump()

    def pump(self):
        """Sends of each body what its windows allow, a MiB at most; `is_eager` tells that more could go at once."""
        self.is_eager = False
        for stream, item in list(self.outgoing.items()):
            sent = 0
            while sent < 1 << 20:
                if self.streams[stream].reset is not None:
                    del self.outgoing[stream]
                    break
                if not item[0]:
                    chunk = next(item[1], None)
                    if chunk is None:
                        del self.outgoing[stream]
                        if item[2] is None:
                            self.answer(data(stream, b"", True))
                        else:
                            self.send_head(stream, item[2], True)
                        break
                    item[0] = memoryview(bytes(chunk))
                    continue
                size = min(len(item[0]), self.send_window, self.window(stream), self.remote[MAX_FRAME_SIZE])
                if size <= 0:
                    break
                self.spend(stream, size)
                self.answer(data(stream, bytes(item[0][:size])))
                item[0] = item[0][size:]
                sent += size
            else:
                self.is_eager = True

    def send_body(self, stream, body, end=True, frame_size=None, seconds=30):
        """Sends as the windows allow, taking in what comes meanwhile. False if the stream was reset."""
        body, at, deadline = memoryview(body), 0, time.monotonic() + seconds
        while at < len(body):
            if self.streams[stream].reset is not None:
                return False
            size = min(len(body) - at, self.send_window, self.window(stream), frame_size or self.remote[MAX_FRAME_SIZE])
            if size <= 0:
                assert time.monotonic() < deadline, f"no window within {seconds} s: {self.describe()}"
                if not self.step(0.2):
                    return False
                continue
            self.spend(stream, size)
            last = at + size == len(body)
            self.send(data(stream, bytes(body[at:at + size]), end and last))
            at += size
        if end and not len(body):
            self.send(data(stream, b"", True))
        return True

    def window(self, stream):
        return self.send_windows.get(stream, 0)

    def spend(self, stream, size):
        self.send_window -= size
        self.send_windows[stream] -= size

    def announce(self, sent):
        """Takes note of what frames that a test has written mean, so that it takes the answers for some."""
        at = len(PREFACE) if sent.startswith(PREFACE) else 0
        while len(sent) - at >= 9:
            length = int.from_bytes(sent[at:at + 3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", sent, at + 3)
            if kind == HEADERS and not self.server and stream and stream not in self.streams:
                self.open(stream)
                self.next_stream = max(self.next_stream, stream + 2)
            elif kind == DATA and stream in self.streams:
                self.spend(stream, length)
            elif kind == SETTINGS and not flags & ACK and length % 6 == 0 and len(sent) >= at + 9 + length:
                self.unacknowledged.append(dict(struct.iter_unpack(">HI", sent[at + 9:at + 9 + length])))
            at += 9 + length

    # What comes in.

    def open(self, stream):
        self.streams[stream] = Message()
        self.send_windows[stream] = self.remote[INITIAL_WINDOW_SIZE]
        self.receive_windows[stream] = self.own[INITIAL_WINDOW_SIZE]

    def accept_preface(self):
        """For a server: whether the other end began as RFC 9113 §3.4 says."""
        while len(self.buffer) < len(PREFACE):
            part = self.connection.recv(65536)
            if not part:
                return False
            self.buffer += part
        if not self.buffer.startswith(PREFACE):
            FAULTS.append(f"a connection preface of {bytes(self.buffer[:24])!r}")
            return False
        self.at = len(PREFACE)
        return True

    def has_frame(self):
        if len(self.buffer) - self.at < 9:
            return False
        length = int.from_bytes(self.buffer[self.at:self.at + 3], "big")
        return len(self.buffer) - self.at >= 9 + length

    def fill(self, timeout):
        """Reads once, waiting at most so long. False when the connection has ended."""
        if self.end:
            return False
        if not self.poller.poll(timeout * 1000):
            return True
        try:
            part = self.connection.recv(1 << 18)
        except OSError:
            self.end = "reset"
            return False
        if not part:
            self.end = "end"
            return False
        if self.at:
            del self.buffer[:self.at]
            self.at = 0
        self.buffer += part
        return True

    def step(self, timeout=0.2):
        """Takes in what is there, waiting at most so long for it to come. False when nothing can come any more."""
        if self.timers:
            timeout = min(timeout, max(0, self.timers[0][0] - time.monotonic()))
        if not self.has_frame() and not self.fill(0 if self.is_eager else timeout):
            return False
        while self.has_frame():
            length = int.from_bytes(self.buffer[self.at:self.at + 3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", self.buffer, self.at + 3)
            payload = bytes(self.buffer[self.at + 9:self.at + 9 + length])
            self.at += 9 + length
            self.take(Frame(kind, flags, stream, payload))
        while self.timers and self.timers[0][0] <= time.monotonic():
            heapq.heappop(self.timers)[2]()
        if self.outgoing:
            self.pump()
        return True

    def later(self, seconds, action):
        heapq.heappush(self.timers, (time.monotonic() + seconds, id(action), action))

    def fault(self, text):
        FAULTS.append(f"{'to an upstream' if self.server else 'to a downstream'}: {text}")

    def require(self, condition, text):
        if not condition:
            self.fault(text)

    def take(self, item):
        kind, flags, stream, payload = item
        self.frames[kind] += 1
        self.kept.append(item if len(payload) < 4096 else item._replace(payload=b"..."))
        self.require(len(payload) <= self.own[MAX_FRAME_SIZE], f"§4.2 a frame of {len(payload)} bytes")
        if self.block is not None:
            self.require(kind == CONTINUATION and stream == self.block[0], "§6.10 a header block is interrupted")
        if self.settings_seen == 0:
            self.require(kind == SETTINGS and not flags & ACK, "§3.4 the first frame is not SETTINGS")
        if kind == DATA:
            self._data(item)
        elif kind == HEADERS:
            self._headers(item)
        elif kind == CONTINUATION:
            self.require(self.block is not None, "§6.10 CONTINUATION without HEADERS")
            if self.block:
                self.block[2] += payload
                if flags & END_HEADERS:
                    self._block(*self.block)
        elif kind == SETTINGS:
            self._settings(item)
        elif kind == PING:
            self.require(stream == 0 and len(payload) == 8, "§6.7 PING")
            if flags & ACK:
                self.pongs.append(payload)
            elif self.automatic:
                self.answer(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            self._window_update(stream, payload)
        elif kind == RST_STREAM:
            self._reset(stream, payload)
        elif kind == GOAWAY:
            self.require(stream == 0 and len(payload) >= 8, "§6.8 GOAWAY")
            last, code = struct.unpack_from(">II", payload)
            self.require(not self.goaways or last <= self.goaways[-1][0], "§6.8 GOAWAY raises its last stream")
            self.goaways.append((last, code))
        elif kind == PUSH_PROMISE:
            self.fault("§8.4 PUSH_PROMISE from a proxy")

    def answer(self, *parts):
        """An automatic reply; the other end may have closed already."""
        try:
            self.send(*parts)
        except OSError:
            pass

    def _settings(self, item):
        self.require(item.stream == 0, "§6.5 SETTINGS on a stream")
        if item.flags & ACK:
            self.require(not item.payload, "§6.5 an acknowledgement with a payload")
            self.require(self.unacknowledged, "§6.5.3 an acknowledgement of nothing")
            self.acknowledged += 1
            own = self.unacknowledged.popleft() if self.unacknowledged else {}
            delta = own.get(INITIAL_WINDOW_SIZE, self.own[INITIAL_WINDOW_SIZE]) - self.own[INITIAL_WINDOW_SIZE]
            for stream in self.receive_windows:
                self.receive_windows[stream] += delta
            self.own.update(own)
            if HEADER_TABLE_SIZE in own:
                self.decoder.max_allowed_table_size = own[HEADER_TABLE_SIZE]
            return
        self.settings_seen += 1
        for name, value in struct.iter_unpack(">HI", item.payload):
            if name == INITIAL_WINDOW_SIZE:
                for stream in self.send_windows:
                    self.send_windows[stream] += value - self.remote[INITIAL_WINDOW_SIZE]
            elif name == HEADER_TABLE_SIZE:
                self.encoder.header_table_size = min(value, 4096)
            self.remote[name] = value
        if self.server:
            self.require(self.remote.get(ENABLE_PUSH, 1) in (0, 1), "§6.5.2 ENABLE_PUSH")
        else:
            self.require(self.remote.get(ENABLE_PUSH, 0) == 0, "§6.5.2 a server enables push")
        if self.automatic:
            self.answer(settings(flags=ACK))

    def _window_update(self, stream, payload):
        self.require(len(payload) == 4, "§6.9 WINDOW_UPDATE")
        increment = int.from_bytes(payload, "big") & MOST
        self.require(increment > 0, "§6.9 an increment of nothing")
        if stream == 0:
            self.send_window += increment
            self.require(self.send_window <= MOST, "§6.9.1 the connection's window is too large")
        elif stream in self.send_windows:
            self.send_windows[stream] += increment
            self.require(self.send_windows[stream] <= MOST, "§6.9.1 a stream's window is too large")

    def _reset(self, stream, payload):
        self.require(stream != 0 and len(payload) == 4, "§6.4 RST_STREAM")
        # A stream that is over may still be reset: the request need not be sent to its end (§8.1).
        is_ours = stream % 2 == (0 if self.server else 1)
        is_known = stream in self.streams or stream < (self.next_stream if is_ours else self.highest + 1)
        self.require(is_known, f"§6.4 RST_STREAM on idle stream {stream}")
        if stream in self.streams:
            message = self.streams[stream]
            self.require(message.reset is None, "§5.1 a second RST_STREAM")
            if message.reset is None:
                message.reset = int.from_bytes(payload, "big")
                self.on_reset(stream, message.reset)

    def _data(self, item):
        stream, payload = item.stream, item.payload
        message = self.streams.get(stream)
        self.require(message is not None and message.head is not None, f"§6.1 DATA on stream {stream}, not open or no head")
        self.receive_window -= len(payload)
        self.require(self.receive_window >= 0, "§6.9.1 more than the connection's window")
        if message is None:
            return
        self.require(not message.is_over or message.reset is not None, "§5.1 DATA behind the end")
        self.receive_windows[stream] -= len(payload)
        self.require(self.receive_windows[stream] >= 0, "§6.9.1 more than the stream's window")
        if item.flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if self.keep_bodies:
            message.body += payload
        end = bool(item.flags & END_STREAM)
        if self.credit and item.payload:
            self.grant(stream, end)
        self.on_data(stream, payload)
        if end:
            message.ended = True
            self.on_end(stream)

    def grant(self, stream, end=False):
        """Opens windows again once a half has been used."""
        missing, out = 65535 - self.receive_window, b""
        if missing > 32767:
            self.receive_window += missing
            out += window_update(0, missing)
        missing = self.own[INITIAL_WINDOW_SIZE] - self.receive_windows[stream]
        if missing > self.own[INITIAL_WINDOW_SIZE] // 2 and not end and stream not in self.stuck:
            self.receive_windows[stream] += missing
            out += window_update(stream, missing)
        if out:
            self.answer(out)

    def widen(self, stream, increment):
        """Opens a window by hand."""
        if stream == 0:
            self.receive_window += increment
        else:
            self.receive_windows[stream] += increment
        self.send(window_update(stream, increment))

    def _headers(self, item):
        payload, flags = item.payload, item.flags
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if flags & PRIORITIZED:
            payload = payload[5:]
        self.block = [item.stream, bool(flags & END_STREAM), payload]
        if flags & END_HEADERS:
            self._block(*self.block)

    def _block(self, stream, end, block):
        self.block = None
        try:
            fields = self.decoder.decode(block, raw=True)
        except hpack.HPACKError as error:
            self.fault(f"HPACK: {error!r}")
            return
        fields = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in fields]
        self._check_fields(fields)
        if self.server and stream not in self.streams:
            self.require(stream % 2 == 1 and stream > self.highest, f"§5.1.1 stream {stream} behind {self.highest}")
            self.highest = max(self.highest, stream)
            self.open(stream)
        message = self.streams.get(stream)
        if message is None:
            self.fault(f"§5.1 HEADERS on idle stream {stream}")
            return
        self.require(not message.ended, "§5.1 HEADERS behind the end")
        if message.head is None:
            if not self.server and fields and fields[0][0] == ":status" and fields[0][1].startswith("1"):
                message.interim.append(fields)
                self.require(not end, "§8.1 an interim response with END_STREAM")
                return
            message.head = fields
            self.on_head(stream)
        else:
            message.trailers = fields
            self.require(end, "§8.1 trailers without END_STREAM")
            self.require(not any(name.startswith(":") for name, _ in fields), "§8.1 a pseudo-header in trailers")
        if end:
            message.ended = True
            self.on_end(stream)

    def _check_fields(self, fields):
        names = [name for name, _ in fields]
        regular = False
        for name, value in fields:
            self.require(name == name.lower(), f"§8.2.1 field name {name!r}")
            self.require(not any(c in value for c in "\0\r\n"), f"§8.2.1 field value {value!r}")
            self.require(not (name.startswith(":") and regular), f"§8.3 {name} behind a regular field")
            regular = regular or not name.startswith(":")
            if name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"):
                self.fault(f"§8.2.2 {name}")
            if name == "te":
                self.require(value == "trailers", f"§8.2.2 te: {value}")
        for name in set(names):
            self.require(not name.startswith(":") or names.count(name) == 1, f"§8.3 {name} twice")

    # Waiting.

    def until(self, condition, what, seconds=5):
        """Takes frames in until a condition holds; an end of the connection or a deadline is a failure."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {self.describe()}"
            if not self.step(min(0.1, seconds)) and not condition():
                raise AssertionError(f"the connection ended: {what}; {self.describe()}")

    def response(self, stream, seconds=5):
        """The message of a stream once it is over."""
        message = self.streams[stream]
        self.until(lambda: message.is_over, f"stream {stream} ends", seconds)
        return message

    def ask(self, path="/", seconds=5, **options):
        return self.response(self.request(path, **options), seconds)

    def until_end(self, seconds=5):
        """Takes everything in until the connection ends; returns the codes of its GOAWAYs."""
        deadline = time.monotonic() + seconds
        while self.step(0.1):
            assert time.monotonic() < deadline, f"not ended within {seconds} s: {self.describe()}"
        return [code for _, code in self.goaways]

    def ping(self, seconds=5):
        """A round trip: everything sent before has been seen by the other end."""
        word = struct.pack(">Q", len(self.pongs) + 0x0123456789)
        self.send(frame(PING, 0, 0, word))
        self.until(lambda: word in self.pongs, "a PING is answered", seconds)

    def settle(self, seconds=5):
        """Takes in all that answers what was sent, or the end."""
        word, deadline = struct.pack(">d", time.monotonic()), time.monotonic() + seconds
        self.answer(frame(PING, 0, 0, word))
        while word not in self.pongs and self.step(0.1) and time.monotonic() < deadline:
            pass

    def describe(self):
        names = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
        seen = [f"{names[f.kind] if f.kind < 10 else f.kind}({f.flags:#x},{f.stream},{f.payload[:20].hex()})"
                for f in list(self.kept)[-8:]]
        return f"end={self.end} goaways={self.goaways} last frames: {' '.join(seen)}"

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Application:
    """An upstream of HTTP/2: keeps what it was sent and answers by path; `Upstream`'s behaviour, a thread per connection.

    Paths: /echo gives the body back; /status/N; /trailers; /early (a 103 first); /delay/MS; /size/N; /hold answers when
    `release` is set; /reset/CODE; others tell the path. A request of application/grpc gets a message and `grpc-status`
    from its path (/grpc/CODE, else 0) in trailers, /grpc-only/CODE without a message.
    """

    def __init__(self, settings=(), delay=0):
        self.settings, self.delay = settings, delay
        self.lock, self.requests, self.peers = threading.Lock(), [], []
        self.release, self.most_open, self.resets = threading.Event(), 0, []
        self.tick = None  # called every few milliseconds by each connection's thread

    def __call__(self, connection):
        peer = Peer(connection, server=True, settings=self.settings)
        with self.lock:
            self.peers.append(peer)
        peer.still = set()
        peer.on_head = lambda stream: self.begin(peer, stream)
        peer.on_end = lambda stream: self.finish(peer, stream)
        peer.on_reset = lambda stream, code: self.cancelled(peer, stream, code)
        if peer.accept_preface():
            while peer.step(0.01 if peer.held or self.tick else 60):
                if self.tick:
                    self.tick(peer)
                while peer.held and self.release.is_set():
                    self.answer_if_open(peer, *peer.held.pop())

    def begin(self, peer, stream):
        with self.lock:
            self.requests.append((peer, stream, peer.streams[stream]))
            peer.still.add(stream)
            self.most_open = max(self.most_open, len(peer.still))
        self.on_head(peer, stream, peer.streams[stream])

    def finish(self, peer, stream):
        message = peer.streams[stream]
        if self.delay:
            peer.later(self.delay, lambda: self.answer_if_open(peer, stream, message))
        else:
            self.answer_if_open(peer, stream, message)

    def answer_if_open(self, peer, stream, message):
        if message.reset is None and stream in peer.still:
            self.on_request(peer, stream, message)

    def cancelled(self, peer, stream, code):
        with self.lock:
            self.resets.append((stream, code))
        peer.still.discard(stream)

    def done(self, peer, stream):
        peer.still.discard(stream)

    def on_head(self, peer, stream, message):
        """For a subclass: a head has come."""

    def on_request(self, peer, stream, message):
        """A whole request has come."""
        self.reply(peer, stream, message)

    def reply(self, peer, stream, message):
        path = message["path"] or ""
        word = path.split("/")[2] if path.count("/") > 1 else ""
        kind = path.split("/")[1] if path.startswith("/") else ""
        if (message["content-type"] or "").startswith("application/grpc"):
            status = word if kind in ("grpc", "grpc-only") else "0"
            fields = [("content-type", "application/grpc")]
            if kind == "grpc-only":
                peer.respond(stream, 200, [*fields, ("grpc-status", status)])
            else:
                peer.respond(stream, 200, fields, bytes(message.body) or bytes(5),
                             [("grpc-status", status), ("grpc-message", "as asked")])
        elif kind == "echo":
            peer.respond(stream, 200, [("content-length", str(len(message.body)))], message.body)
        elif kind == "status":
            peer.respond(stream, int(word), [])
        elif kind == "trailers":
            peer.respond(stream, 200, [("trailer", "x-sum")], b"body", [("x-sum", "1"), ("x-more", "a"), ("x-more", "b")])
        elif kind == "early":
            peer.send(headers(stream, peer.encode([(":status", "103"), ("link", "x")])))
            peer.respond(stream, 200, [], b"ok")
        elif kind == "size":
            peer.respond(stream, 200, [("content-length", word)], bytes(int(word)))
        elif kind == "reset":
            peer.send(rst(stream, int(word)))
        elif kind == "delay" and not message.delayed:
            message.delayed = True
            peer.later(int(word) / 1000, lambda: self.answer_if_open(peer, stream, message))
            return
        elif kind == "hold" and not self.release.is_set():
            peer.held.append((stream, message))
            return
        elif message["method"] == "HEAD":
            peer.respond(stream, 200, [("content-length", "5000")])
        else:
            peer.respond(stream, 200, [("content-type", "text/plain")], path.encode("latin-1"))
        self.done(peer, stream)

    @property
    def paths(self):
        return [message["path"] for _, _, message in self.requests]


def dial(proxy, **options):
    """A downstream connection through a proxy."""
    return Peer(proxy.connect(), **options)


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
MESSAGE = b"\0\0\0\0\x05hello"


class Calls:
    """Unary calls over one connection, so many at a time; `take(message)` gets each when it is over."""

    def __init__(self, peer, take, concurrency=8, path="/pkg.Service/Call", method="POST", fields=GRPC, body=MESSAGE):
        self.peer, self.take, self.concurrency, self.open, self.made = peer, take, concurrency, set(), 0
        self.request = lambda: peer.request(path, method=method, fields=fields, body=body)
        peer.on_end = lambda stream: self._over(stream)
        peer.on_reset = lambda stream, code: self._over(stream)

    def _over(self, stream):
        if stream in self.open:
            self.open.discard(stream)
            self.take(self.peer.streams.pop(stream))
            for windows in (self.peer.send_windows, self.peer.receive_windows):
                windows.pop(stream, None)

    def run(self, until, seconds=30):
        """Keeps calls going until a condition holds, then lets those under way end."""
        deadline = time.monotonic() + seconds
        while not until() or self.open:
            while not until() and len(self.open) < self.concurrency:
                self.open.add(self.request())
                self.made += 1
            assert self.peer.step(0.05), f"the connection ended: {self.peer.describe()}"
            assert time.monotonic() < deadline, f"not within {seconds} s: {len(self.open)} open; {self.peer.describe()}"


def succeeded(message):
    """Whether a call was answered by an application that says OK."""
    return message.ended and message.reset is None and message.status == 200 and message["grpc-status"] in (None, "0")
