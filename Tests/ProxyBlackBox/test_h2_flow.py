# SPDX-License-Identifier: Apache-2.0
"""Flow control through the proxy: who does not read slows the sender down, fills nobody's memory and delays nobody else.

APUS_FULL=1 moves 1 GiB where CI moves 128 MiB.
"""
import hashlib, os, random, threading, time
import pytest
from conftest import until
from h2peer import *
from test_h2_proxy import strict_echo, strict_exchange

TOTAL = (1 << 30) if os.environ.get("APUS_FULL") == "1" else 128 << 20
BLOCK = random.Random(1).randbytes(1 << 16)
MIB = 1 << 20


@pytest.fixture(autouse=True)
def audited():
    FAULTS.clear()
    yield
    assert not FAULTS, FAULTS[:5]


def digest_of(total):
    digest = hashlib.sha256()
    for at in range(0, total, len(BLOCK)):
        digest.update(BLOCK[:min(len(BLOCK), total - at)])
    return digest.digest()


class Pouring(Application):
    """/pour/N sends N bytes as the windows allow; `poured` counts them. /swallow takes a body and tells its digest."""

    def __init__(self, settings=()):
        super().__init__(settings)
        self.poured, self.swallowed, self.stop_reading = 0, 0, threading.Event()

    def on_head(self, peer, stream, message):
        if message["path"] == "/swallow":
            message.digest = hashlib.sha256()

            def swallow(one, payload):
                if one == stream:
                    message.digest.update(payload)
                    self.swallowed += len(payload)
                    message.body.clear()
            peer.on_data = swallow

    def on_request(self, peer, stream, message):
        path = message["path"]
        if path.startswith("/pour/"):
            total = int(path.split("/")[2])
            peer.send(headers(stream, peer.encode([(":status", "200"), ("content-length", str(total))])))
            peer.pour(stream, self.chunks(total))
        elif path == "/swallow":
            peer.respond(stream, 200, [], message.digest.digest())
        else:
            self.reply(peer, stream, message)


    def chunks(self, total):
        for at in range(0, total, 16384):
            start = at % len(BLOCK)
            part = BLOCK[start:start + min(16384, total - at)]
            self.poured += len(part)
            yield part


class Hashing:
    """Takes the body of one stream without keeping it."""

    def __init__(self, peer, stream):
        self.digest, self.count = hashlib.sha256(), 0

        def take(one, payload):
            if one == stream:
                self.digest.update(payload)
                self.count += len(payload)
                peer.streams[one].body.clear()
        peer.on_data = take


def quiet(value, peer=None, seconds=0.3):
    """A condition: a value has not changed for a while."""
    last = [value(), time.monotonic()]

    def check():
        if peer:
            peer.step(0.01)
        if value() != last[0]:
            last[:] = value(), time.monotonic()
        return time.monotonic() - last[1] > seconds
    return check


def test_a_reader_whose_window_is_used_up(make):
    application = Pouring()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer:
        for _ in range(50):
            assert peer.ask("/size/100000").status == 200
        before = proxy.memory("RssAnon")
        stream = peer.request(f"/pour/{TOTAL}")
        peer.stuck.add(stream)
        taken = Hashing(peer, stream)
        until(quiet(lambda: application.poured, peer), "the upstream is slowed down")
        assert taken.count == 65535 and application.poured <= 65535 + MIB, (taken.count, application.poured)
        assert proxy.memory("RssAnon") - before < MIB
        # Other streams of the same connection go on meanwhile.
        for _ in range(50):
            answer = peer.ask("/size/100000")
            assert answer.status == 200 and len(answer.body) == 100_000
        assert taken.count == 65535
        assert proxy.memory("RssAnon") - before < MIB
        peer.stuck.discard(stream)
        peer.widen(stream, 65535)
        peer.until(lambda: peer.streams[stream].is_over, "all of it", 120)
        assert peer.streams[stream].ended and taken.count == TOTAL and taken.digest.digest() == digest_of(TOTAL)
    assert proxy.memory("RssAnon") - before < 2 * MIB


def test_a_reader_that_leaves_its_socket_alone(make):
    """Windows of 2 GiB, but nobody reads: the kernel's buffers fill, the proxy's do not."""
    application = Pouring()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as warm, dial(proxy, settings=[(INITIAL_WINDOW_SIZE, MOST)]) as peer:
        for _ in range(50):
            assert warm.ask("/size/100000").status == 200
        peer.ping()
        peer.widen(0, MOST - 65535)
        before = proxy.memory("RssAnon")
        stream = peer.request(f"/pour/{TOTAL}")
        taken = Hashing(peer, stream)
        until(quiet(lambda: application.poured, None, 0.5), "the upstream is slowed down")
        assert 0 < application.poured < 50 * MIB
        assert proxy.memory("RssAnon") - before < MIB
        for _ in range(20):
            assert warm.ask("/size/100000").status == 200
        peer.until(lambda: peer.streams[stream].is_over, "all of it", 120)
        assert peer.streams[stream].ended and taken.digest.digest() == digest_of(TOTAL)


def test_an_upstream_whose_window_is_used_up(make):
    class Reluctant(Pouring):
        def on_head(self, peer, stream, message):
            super().on_head(peer, stream, message)
            if message["path"] == "/swallow":
                peer.stuck.add(stream)
    application = Reluctant()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer:
        for _ in range(50):
            assert peer.ask("/echo", method="POST", body=bytes(50_000)).status == 200
        before = proxy.memory("RssAnon")
        stream = peer.request("/swallow", method="POST", end=False)
        sent, left = 0, TOTAL

        def push():
            nonlocal sent
            while (size := min(16384, peer.window(stream), peer.send_window, TOTAL - sent)) > 0:
                start = sent % len(BLOCK)
                part = BLOCK[start:start + min(size, len(BLOCK) - start)]
                peer.spend(stream, len(part))
                sent += len(part)
                peer.send(data(stream, part, sent == TOTAL))
            return sent
        until(quiet(lambda: push(), peer), "the downstream is slowed down")
        assert application.swallowed == 65535 and sent <= 65535 + MIB, (application.swallowed, sent)
        assert proxy.memory("RssAnon") - before < MIB
        for _ in range(50):
            assert peer.ask("/echo", method="POST", body=bytes(50_000)).status == 200

        def open_again(one):
            if stuck := set(one.stuck):
                one.stuck.clear()
                for each in stuck:
                    one.widen(each, 65535)
        application.tick = open_again
        application.peers[0].later(0, lambda: None)
        assert peer.ask("/wake").status == 200  # the thread looks at its tick
        deadline = time.monotonic() + 120
        while not peer.streams[stream].is_over:
            push()
            assert peer.step(0.1) and time.monotonic() < deadline
        assert peer.streams[stream].body == digest_of(TOTAL)


def test_an_upstream_that_leaves_its_socket_alone(make):
    """Its windows are open, its socket is not read: streams to it wait, memory stays, another upstream serves."""
    release = threading.Event()

    def deaf(connection):
        peer = Peer(connection, server=True, settings=[(INITIAL_WINDOW_SIZE, MOST)])
        peer.send(window_update(0, MOST - 65535))
        if peer.accept_preface():
            release.wait(60)
    proxy = make.proxy([make.upstream(deaf)])
    with dial(proxy) as peer:
        peer.ping()
        before = proxy.memory("RssAnon")
        stream, sent = peer.request("/", method="POST", end=False), [0]

        def push():
            while (size := min(16384, peer.window(stream), peer.send_window)) > 0:
                peer.spend(stream, size)
                peer.send(data(stream, bytes(size)))
                sent[0] += size
            return sent[0]
        until(quiet(push, peer, 0.5), "the downstream is slowed down", 30)
        assert sent[0] < 50 * MIB
        assert proxy.memory("RssAnon") - before < MIB, proxy.memory("RssAnon") - before
        peer.ping()  # its control frames are answered all the while
    release.set()


@pytest.mark.parametrize("stuck", [8, 11])  # a connection holds twelve windows of a stream
def test_stuck_streams_of_one_connection_leave_another_alone(make, stuck):
    """They may share an upstream connection, whose window is one for all."""
    application = Pouring()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer, dial(proxy) as other:
        assert other.ask("/x").status == 200
        before = proxy.memory("RssAnon")
        streams = [peer.request("/size/1000000") for _ in range(stuck)]
        peer.stuck.update(streams)
        until(quiet(lambda: sum(len(peer.streams[stream].body) for stream in streams), peer), "all are stuck")
        assert all(len(peer.streams[stream].body) == 65535 for stream in streams)
        begin = time.monotonic()
        for _ in range(20):
            assert len(other.ask("/size/200000").body) == 200_000
        assert time.monotonic() - begin < 5
        held = proxy.memory("RssAnon") - before
        assert held < 8 * MIB, f"{held >> 10} KiB for {stuck} stuck streams"
        peer.stuck.clear()
        for stream in streams:
            peer.widen(stream, 65535)
        for stream in streams:
            assert len(peer.response(stream, 30).body) == 1_000_000


def test_stuck_streams_that_are_cancelled_give_everything_back(make):
    application = Pouring()
    proxy = make.proxy([make.upstream(application)])
    with dial(proxy) as peer:
        for round in range(30):
            streams = [peer.request("/size/1000000") for _ in range(10)]
            peer.stuck.update(streams)
            peer.until(lambda: all(peer.streams[stream].head for stream in streams), "heads")
            peer.send(*[rst(stream, Code.CANCEL) for stream in streams])
            peer.ping()
            if round == 9:
                before = proxy.memory("RssAnon")
        assert len(peer.ask("/size/300000").body) == 300_000
        assert proxy.memory("RssAnon") - before < MIB


def test_large_bodies_both_ways_at_once(make):
    bodies = [random.Random(number).randbytes(6_000_000) for number in range(4)]
    with make.proxy([make.upstream(strict_echo)]).connect() as connection:
        assert strict_exchange(connection, bodies) == bodies
