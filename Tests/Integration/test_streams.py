# SPDX-License-Identifier: Apache-2.0
"""What a platform engineer sees of gRPC: calls that are open now, how they ended, and that an agent's death changes nothing."""
import contextlib, os, signal, subprocess
from conftest import PYTHON_WITH_PEERS, until
from test_crash import agent_pids
from test_observe import tap_lines

# Holds as many calls as it is told to, until its input ends; then it cancels them.
HOLD = """
import grpc, sys
channel = grpc.insecure_channel('grpc:50051')
sleep = channel.unary_unary('/test.Peer/Sleep')
calls = [sleep.future(b'600000') for _ in range(int(sys.argv[1]))]
print('held', flush=True)
sys.stdin.read()
for call in calls: call.cancel()
channel.close()
"""


@contextlib.contextmanager
def held(cluster, count):
    holder = cluster.start("meshed", "client", *PYTHON_WITH_PEERS, "-c", HOLD, str(count), stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def live(cluster):
    """Of the calls to the server, as their caller's side and the server's side see them."""
    rows = cluster.stat("deploy/grpc", "-n", "meshed", "--from", "deploy/client")
    outbound = sum(row["live_streams"] or 0 for row in rows)
    return outbound, cluster.metric("apus_requests_open", namespace="meshed", deployment="grpc", direction="inbound")


def test_open_calls_show_and_survive_the_agent(cluster):
    with held(cluster, 7):
        until(lambda: live(cluster) == (7, 7), "seven calls are open")
        table = cluster.apus("stat", "deploy/grpc", "-n", "meshed", "-o", "wide",
                             *[x for agent in cluster.agents for x in ("--agent", agent)]).stdout.splitlines()
        assert table[0].split()[-1] == "LIVE" and table[1].split()[-1] == "7"
        for pid in agent_pids(cluster):
            os.kill(pid, signal.SIGKILL)
        def seen():
            with contextlib.suppress(OSError, AssertionError):  # while the new agents start
                return live(cluster) == (7, 7)
        until(seen, "the new agents know of calls that are older than themselves", 30)
    until(lambda: live(cluster) == (0, 0), "no call is open")


def test_tap_tells_how_a_call_ended(cluster):
    client = [*PYTHON_WITH_PEERS, "-c", """
import grpc
channel = grpc.insecure_channel('grpc:50051')
call = lambda name: channel.unary_unary('/test.Peer/' + name)
call('Echo')(b'hello')
try: call('Fail')(b'5')
except grpc.RpcError: pass
cancelled = call('Sleep').future(b'600000')
call('Echo')(b'later')  # on the same connection, so the one before has begun
cancelled.cancel()
call('Echo')(b'last')
channel.close()
"""]
    lines = tap_lines(
        cluster, "deploy/grpc", "-n", "meshed",
        wanted=[r"^req .* :method=POST :authority=grpc:50051 :path=/test.Peer/Echo$", r"^rsp .* :status=200 latency=\d+µs$",
                r"^end .* grpc-status=OK duration=\d+µs response-length=10B$", r"^end .* grpc-status=NotFound duration=",
                r"^end .* reset-error=CANCEL "],
        traffic=lambda: cluster.run("meshed", "client", *client))
    assert not any("grpc-status=Unknown" in line for line in lines)
