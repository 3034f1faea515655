# SPDX-License-Identifier: Apache-2.0
"""Numbers that matter, for HTTP/2: allocations per request, memory per idle connection, memory that comes back."""
import struct, subprocess, time
import pytest
from conftest import until
from h2peer import *
from test_limits import HERE


def test_no_allocation_per_request_after_warm_up(make, tmp_path):
    library, counter = tmp_path / "malloc_count.so", tmp_path / "count"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "malloc_count.c")], check=True)
    counter.write_bytes(bytes(4096))
    # Collecting allocates, once a second and not per request: put it off.
    proxy = make.proxy([make.upstream(Application()), make.upstream(Application())], "--collect", "3600",
                       environment={"LD_PRELOAD": str(library), "MALLOC_COUNT_FILE": str(counter)})

    def allocations():
        return struct.unpack("Q", counter.read_bytes()[:8])[0]

    def requests(peer, rounds):
        for number in range(rounds):
            streams = [
                peer.request("/x"), peer.request(f"/n{number % 50}", fields=[("x-id", str(number)), ("cookie", "a=b")]),
                peer.request("/echo", method="POST", body=b"body" * 300),
                peer.request("/pkg.Service/Call", method="POST", fields=GRPC, body=MESSAGE),
                peer.request("/trailers"), peer.request("/early"), peer.request("/size/40000"), peer.request("/grpc-only/5",
                             method="POST", fields=GRPC, body=MESSAGE)]
            for stream in streams:
                assert peer.response(stream).status == 200
                del peer.streams[stream], peer.send_windows[stream], peer.receive_windows[stream]

    assert allocations() > 100, "the counter counts"
    with dial(proxy) as peer:
        requests(peer, 400)
        # Tables that grow to their final size do so once; what a request costs would be there every time.
        made = []
        while not made or made[-1] > 0:
            assert len(made) < 3, f"{made} in 4,000 requests each"
            before = allocations()
            requests(peer, 500)
            made.append(allocations() - before)
    assert sum(made) < 40, f"{made} in 4,000 requests each"


def test_memory_per_idle_connection(make):
    proxy = make.proxy([make.upstream(Application())])
    with dial(proxy) as peer:
        for _ in range(20):
            assert peer.ask("/x").status == 200
    before, peers = proxy.memory(), []
    for _ in range(2000):
        peers.append(dial(proxy))
        assert peers[-1].ask("/x").status == 200
    each = (proxy.memory() - before) / len(peers)
    for peer in peers:
        peer.close()
    assert each <= 16384, f"{each:.0f} bytes"


def test_memory_of_many_streams_is_used_again(make):
    application = Application()
    proxy = make.proxy([make.upstream(application)])

    def burst():
        peers = [dial(proxy) for _ in range(10)]
        streams = [(peer, peer.request("/delay/20")) for peer in peers for _ in range(100)]
        for peer, stream in streams:
            assert peer.response(stream, 20).status == 200
        for peer in peers:
            peer.close()
        application.requests.clear()
    for _ in range(3):
        burst()
    before = proxy.memory("RssAnon")
    for _ in range(7):
        burst()
    assert proxy.memory("RssAnon") - before < 1 << 20


def test_a_stream_may_live_long_without_a_byte(make):
    """Nothing but the peers ends a stream that waits: here as long as the shortest of the proxy's other times."""
    application = Application()
    with dial(make.proxy([make.upstream(application)])) as peer:
        stream = peer.request("/hold")
        until(lambda: application.requests, "it is open")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            peer.step(0.1)
        assert not peer.streams[stream].is_over
        application.release.set()
        assert peer.response(stream).status == 200
