# SPDX-License-Identifier: Apache-2.0
"""Streams of one downstream connection are balanced one by one; what was not processed is tried elsewhere."""
import hashlib, os, threading, time
import pytest
from conftest import reset, until
from h2peer import *


@pytest.fixture(autouse=True)
def audited():
    FAULTS.clear()
    yield
    assert not FAULTS, FAULTS[:5]


def counts(applications):
    return [len(application.requests) for application in applications]


def test_unary_calls_of_one_connection_are_shared_evenly(make):
    shares = []
    # A busy machine makes one of the two really slower at times, and then it is right that it gets less.
    while not shares or not 0.45 <= shares[-1] <= 0.55:
        assert len(shares) < 4, shares
        applications, answers = [Application(), Application()], []
        with dial(make.proxy([make.upstream(application) for application in applications])) as peer:
            Calls(peer, answers.append).run(lambda: len(answers) >= 4000)
        assert all(map(succeeded, answers))
        shares.append(counts(applications)[0] / len(answers))


def test_an_endpoint_that_becomes_slow_gets_under_a_fifth_within_ten_seconds(make):
    applications = [Application(), Application()]
    answers = []
    with dial(make.proxy([make.upstream(application) for application in applications])) as peer:
        calls = Calls(peer, answers.append)
        calls.run(lambda: len(answers) >= 1000)
        applications[0].delay = 0.05
        begin, shares = time.monotonic(), []
        while not (len(shares) >= 2 and max(shares[-2:]) < 0.2):
            assert time.monotonic() - begin < 10, shares
            before, end = counts(applications), time.monotonic() + 1
            calls.run(lambda: time.monotonic() > end)
            slow, quick = (late - early for late, early in zip(counts(applications), before))
            shares.append(slow / (slow + quick))
    assert all(map(succeeded, answers))


@pytest.mark.parametrize("fields, body, method", [(GRPC, MESSAGE, "POST"), ([], None, "GET")], ids=["grpc", "get"])
def test_an_endpoint_that_leaves_in_order_costs_no_call(make, fields, body, method):
    """GOAWAY, the rest is answered, the listener is gone: what rolling updates do."""
    class Leaving(Application):
        leaves = False

        def begin(self, peer, stream):
            if getattr(peer, "left", False):
                return  # behind the last stream: ignored (§6.8), and the proxy must know
            super().begin(peer, stream)

        def depart(self, peer):
            if self.leaves and not getattr(peer, "left", False):
                peer.left = True
                peer.answer(goaway(peer.highest))
            if getattr(peer, "left", False) and not peer.still:
                peer.connection.shutdown(2)
    leaving, staying = Leaving(delay=0.005), Application(delay=0.005)
    leaving.tick = leaving.depart
    upstreams = [make.upstream(leaving), make.upstream(staying)]
    answers = []
    with dial(make.proxy(upstreams)) as peer:
        calls = Calls(peer, answers.append, 16, fields=fields, body=body, method=method)
        calls.run(lambda: len(answers) >= 500)
        assert min(counts([leaving, staying])) > 50
        upstreams[0].end()
        leaving.leaves = True
        calls.run(lambda: len(answers) >= 1500)
    bad = [answer for answer in answers if not succeeded(answer)]
    assert not bad, f"{len(bad)} of {len(answers)}: {bad[:3]}"


def test_an_endpoint_that_dies_costs_only_what_it_was_working_on(make):
    applications = [Application(delay=0.005), Application(delay=0.005)]
    upstreams = [make.upstream(application) for application in applications]
    answers = []
    with dial(make.proxy(upstreams)) as peer:
        calls = Calls(peer, answers.append, 16)
        calls.run(lambda: len(answers) >= 500)
        assert min(counts(applications)) > 50 and all(map(succeeded, answers))
        dead, answers_before = applications[0], len(answers)
        upstreams[0].end()

        def die(one):
            reset(one.connection)
            one.end = "reset"
        for one in dead.peers:
            one.later(0, lambda one=one: die(one))
        dead.tick = lambda one: None
        working = calls.concurrency
        calls.run(lambda: len(answers) >= answers_before + 1500)
    bad = [number for number, answer in enumerate(answers) if not succeeded(answer)]
    assert len(bad) <= working, f"{len(bad)} calls failed"
    # All of them at once; when they are over no call fails any more.
    assert not bad or max(bad) - min(bad) < 200, bad
    for number in bad:
        assert answers[number].reset is not None or answers[number]["grpc-status"] == "14", answers[number]


def test_calls_one_by_one_survive_a_death_between_them(make):
    """Nothing is under way when the endpoint dies, so everything behind is safe to send elsewhere."""
    applications = [Application(), Application()]
    upstreams = [make.upstream(application) for application in applications]
    proxy = make.proxy(upstreams)
    answers = []
    with dial(proxy) as peer:
        calls = Calls(peer, answers.append, 1)
        calls.run(lambda: len(answers) >= 100)
        upstreams[0].end()
        for one in applications[0].peers:
            one.connection.shutdown(2)
        until(lambda: sum(count for name, count in proxy.totals()["tcp"].items() if name.startswith("dst closed")) >= 1,
              "the proxy has seen it")
        calls.run(lambda: len(answers) >= 300)
    assert all(map(succeeded, answers))


class Refusing(Application):
    def on_head(self, peer, stream, message):
        peer.still.discard(stream)
        peer.answer(rst(stream, Code.REFUSED_STREAM))


class Unprocessed(Application):
    """GOAWAY that covers nothing, for every connection."""

    def on_head(self, peer, stream, message):
        peer.still.discard(stream)
        if not getattr(peer, "left", False):
            peer.left = True
            peer.answer(goaway(0))
            peer.later(0.01, lambda: peer.connection.shutdown(2))


@pytest.mark.parametrize("bad", [Refusing, Unprocessed, None], ids=["refused", "goaway", "no listener"])
@pytest.mark.parametrize("fields, body, method", [(GRPC, MESSAGE, "POST"), ([], None, "GET")], ids=["grpc", "get"])
def test_what_was_not_processed_is_tried_elsewhere(make, bad, fields, body, method):
    good = Application()
    endpoints = [make.upstream(good), make.upstream(bad()) if bad else 1]
    answers = []
    with dial(make.proxy(endpoints)) as peer:
        Calls(peer, answers.append, 4, fields=fields, body=body, method=method).run(lambda: len(answers) >= 200)
    failed = [answer for answer in answers if not succeeded(answer)]
    assert not failed, f"{len(failed)} of {len(answers)}: {failed[:3]}"
    assert len(good.requests) == len(answers)


def test_retries_have_an_end(make):
    application = Refusing()
    with dial(make.proxy([make.upstream(application)])) as peer:
        answer = peer.ask("/x", method="POST", fields=GRPC, body=MESSAGE)
        assert answer.reset == Code.REFUSED_STREAM or answer["grpc-status"] == "14", answer
    assert 1 <= len(application.requests) <= 10


@pytest.mark.parametrize("size", [1000, 10_000, 1_000_000])
def test_a_body_is_sent_again_whole_or_not_at_all(make, size):
    class RefusingLate(Application):
        """Refuses once it has seen some of the body."""

        def on_head(self, peer, stream, message):
            def refuse(one, payload):
                if one == stream and message.reset is None and one in peer.still:
                    peer.still.discard(one)
                    peer.answer(rst(one, Code.REFUSED_STREAM))
            peer.on_data = refuse
    good = Application()
    body = os.urandom(size)
    proxy = make.proxy([make.upstream(good), make.upstream(RefusingLate())])
    with dial(proxy) as peer:
        for _ in range(20):
            stream = peer.request("/echo", method="POST", body=body)
            answer = peer.response(stream)
            if answer.reset is None and answer.status == 200:
                assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
            else:
                assert size > 16_384, f"a small body can be kept: {answer}"
    assert all(bytes(message.body) == body for _, _, message in good.requests if message.ended)
