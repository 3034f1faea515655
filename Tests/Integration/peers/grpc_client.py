# SPDX-License-Identifier: Apache-2.0
"""grpc_client.py TARGET SCENARIO: grpcio's client. What it prints must not depend on what lies between."""
import collections, hashlib, os, sys, threading, time
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

OPTIONS = [("grpc.max_receive_message_length", 80 << 20), ("grpc.max_send_message_length", 80 << 20)]
target, scenario = sys.argv[1:3]
channel = grpc.insecure_channel(target, OPTIONS)
Echo, Fail, Sleep, Cancelled, Who = (
    channel.unary_unary("/test.Peer/" + name) for name in ("Echo", "Fail", "Sleep", "Cancelled", "Who"))
Count = channel.stream_unary("/test.Peer/Count")
Expand = channel.unary_stream("/test.Peer/Expand")
Chat = channel.stream_stream("/test.Peer/Chat")


def within(condition, what, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def unary():
    for size in (0, 1, 100, 16379, 16384, 70000):
        body = os.urandom(size)
        assert Echo(body, timeout=10) == body, size
    with __import__("concurrent.futures").futures.ThreadPoolExecutor(50) as pool:
        bodies = [os.urandom(number) for number in range(500)]
        assert list(pool.map(lambda body: Echo(body, timeout=10), bodies)) == bodies
    print("unary intact")


def client_streaming():
    parts = [os.urandom(number * 37) for number in range(300)]
    print(Count(iter(parts), timeout=10).decode().split()[:2])
    assert Count(iter(parts), timeout=10).decode().split()[2] == hashlib.sha256(b"".join(parts)).hexdigest()
    print(Count(iter([]), timeout=10).decode())


def server_streaming():
    print([(part[:1], len(part)) for part in Expand(b"5 100000", timeout=10)])
    print(sum(len(part) for part in Expand(b"2000 1000", timeout=10)), len(list(Expand(b"0 0", timeout=10))))


def bidirectional_streaming():
    turn, words = threading.Semaphore(1), []

    def requests():
        for number in range(200):
            turn.acquire()  # one at a time: each answer comes before the next question
            yield f"word {number}".encode()
    for answer in Chat(requests(), timeout=20):
        words.append(answer)
        turn.release()
    print(len(words), words[0], words[-1])


def status():
    for code in range(17):
        try:
            print(code, Fail(str(code).encode(), timeout=10))
        except grpc.RpcError as error:
            print(code, error.code(), repr(error.details()), dict(error.trailing_metadata()).get("x-detail-bin"))
    try:
        channel.unary_unary("/test.Peer/Absent")(b"", timeout=10)
    except grpc.RpcError as error:
        print(error.code())


def cancellation():
    before = int(Cancelled(b"", timeout=10))
    calls = [Sleep.future(b"20000") for _ in range(5)]
    stream = Chat(iter(lambda: time.sleep(0.05) or b"x", None))
    next(stream)
    within(lambda: all(call.running() for call in calls), "they run")
    Echo(b"", timeout=10)
    time_before = time.monotonic()
    for call in calls:
        call.cancel()
    stream.cancel()
    within(lambda: int(Cancelled(b"", timeout=10)) - before == 5, "the server sees five cancelled")
    print("in time" if time.monotonic() - time_before < 1 else time.monotonic() - time_before)
    print(sorted(str(call.code()) for call in calls), stream.code())


def deadline():
    for _ in range(3):
        before, begin = int(Cancelled(b"", timeout=10)), time.monotonic()
        try:
            Sleep(b"5000", timeout=0.3)
        except grpc.RpcError as error:
            late = time.monotonic() - begin - 0.3
            print(error.code(), "on time" if -0.02 < late < 0.2 else f"{late:.3f} s late")
        within(lambda: int(Cancelled(b"", timeout=10)) > before, "the server has given up as well", 2)
    print(Sleep(b"50", timeout=5))


def metadata():
    sent = [("x-text", "value with blanks"), ("x-empty", ""), ("x-twice", "1"), ("x-twice", "2"),
            ("x-raw-bin", bytes(range(256))), ("x-none-bin", b"")]
    answer, call = Echo.with_call(b"", metadata=sent, timeout=10)
    print(sorted((key, value) for key, value in call.initial_metadata() if key.startswith("x-")))
    print(sorted((key, value) for key, value in call.trailing_metadata() if key.startswith("x-")))
    large = [(f"x-{number}", "v" * 500) for number in range(10)]
    print(len(Echo.with_call(b"", metadata=large, timeout=10)[1].initial_metadata()))


def large(size):
    body = os.urandom(size)
    assert Echo(body, timeout=60) == body
    assert Count(iter([body]), timeout=60).decode().split()[2] == hashlib.sha256(body).hexdigest()
    assert sum(len(part) for part in Expand(b"2 %d" % size, timeout=60)) == 2 * size
    print(size, "intact")


def compression():
    with grpc.insecure_channel(target, OPTIONS, compression=grpc.Compression.Gzip) as zipped:
        body = b"compressible " * 100_000
        call = zipped.unary_unary("/test.Peer/Echo").with_call(body, timeout=20)
        print(call[0] == body, call[1].code())


def health():
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "test.Peer", "test.Ill"):
        print(name, stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status)
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="absent"), timeout=10)
    except grpc.RpcError as error:
        print(error.code())
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="test.Peer"), timeout=10)
    print(next(watch).status)
    watch.cancel()


def reflection():
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    questions = [reflection_pb2.ServerReflectionRequest(list_services=""),
                 reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"),
                 reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Symbol")]
    for answer in stub.ServerReflectionInfo(iter(questions), timeout=10):
        print(sorted(service.name for service in answer.list_services_response.service),
              [len(proto) for proto in answer.file_descriptor_response.file_descriptor_proto],
              answer.error_response.error_code)


def shares():
    """How the calls of one channel are shared among pods, as `SHARE of CALLS` of the pod that is asked more."""
    pods = collections.Counter()
    with __import__("concurrent.futures").futures.ThreadPoolExecutor(8) as pool:
        pods.update(pool.map(lambda _: Who(b"", timeout=10), range(2000)))
    print(len(pods), max(pods.values()) / 2000)


SCENARIOS = {
    "unary": unary, "client streaming": client_streaming, "server streaming": server_streaming,
    "bidirectional streaming": bidirectional_streaming, "status": status, "cancellation": cancellation,
    "deadline": deadline, "metadata": metadata, "4 MiB": lambda: large(4 << 20), "64 MiB": lambda: large(64 << 20),
    "compression": compression, "health": health, "reflection": reflection, "shares": shares}
if __name__ == "__main__":
    SCENARIOS[scenario]()
