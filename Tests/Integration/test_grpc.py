# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 and gRPC by programs that nobody here wrote, in pods, through the redirect: the same answers with the mesh and without."""
import json, re, time
import pytest
from conftest import NAMESPACES, PEERS, PYTHON_WITH_PEERS, until

CLIENT = [*PYTHON_WITH_PEERS, str(PEERS / "grpc_client.py")]
EXPECTED = {
    "unary": "unary intact\n",
    "client streaming": None,
    "server streaming": None,
    "bidirectional streaming": "200 b'WORD 0' b'WORD 199'\n",
    "status": None,
    "cancellation": None,
    "deadline": "StatusCode.DEADLINE_EXCEEDED on time\n" * 3 + "b'50'\n",
    "metadata": None,
    "4 MiB": f"{4 << 20} intact\n",
    "64 MiB": f"{64 << 20} intact\n",
    "compression": "True StatusCode.OK\n",
    "health": None,
    "reflection": None,
}
CURLS = {
    "node": ["-i", "http://node2:8092/"],
    "node trailers": ["-i", "http://node2:8092/trailers"],
    "node early hints": ["-i", "http://node2:8092/early"],
    "node 500": ["-i", "http://node2:8092/fail"],
    "node post": ["-i", "-d", "x" * 100_000, "http://node2:8092/echo"],
    "nghttpd": ["-i", "http://nghttpd:8090/small.txt"],
    "nghttpd head": ["-I", "http://nghttpd:8090/small.txt"],
    "nghttpd 404": ["-i", "http://nghttpd:8090/absent"],
    "nghttpd 20 MB": ["http://nghttpd:8090/big.bin"],
    "nginx": ["-i", "http://nginx2:8083/small.txt"],
    "nginx range": ["-r", "5-1000", "http://nginx2:8083/big.bin"],
}
VARYING = re.compile(rb"(?im)^(date|last-modified|etag|server|cache-control): .*\r?\n")


@pytest.mark.parametrize("scenario", EXPECTED)
def test_grpcio(cluster, scenario):
    plain, meshed = (done.stdout.decode() for done in cluster.both("client", *CLIENT, "grpc:50051", scenario, timeout=150))
    assert plain and plain == meshed
    assert EXPECTED[scenario] in (None, plain)


def test_grpc_calls_of_one_channel_are_shared_by_two_pods(cluster):
    """What a mesh is for: without it, all calls of a channel go to the pod that its one connection has met."""
    plain, meshed = (done.stdout.split() for done in cluster.both("client", *CLIENT, "grpc-pair:50051", "shares"))
    assert plain[0] == b"1"
    assert meshed[0] == b"2" and 0.45 <= float(meshed[1]) <= 0.55, meshed


@pytest.mark.parametrize("name", CURLS)
def test_curl_gets_the_same_bytes(cluster, name):
    answers = []
    for namespace in NAMESPACES:
        done = cluster.run(namespace, "client", "curl", "-sS", "-m", "20", "--http2-prior-knowledge", *CURLS[name])
        answers.append(VARYING.sub(b"", done.stdout))
    assert answers[0] and answers[0] == answers[1]


def test_curl_upgrade_to_h2c_stays_in_http_1(cluster):
    """nghttpd would switch; through the mesh nobody does, and the answer is the same."""
    plain, meshed = cluster.both("client", "curl", "-sS", "-m", "10", "--http2", "http://node:8082/")
    assert plain.stdout == meshed.stdout == b"node says hello\n"
    done = cluster.run("meshed", "client", "curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_version}", "--http2",
                       "http://node:8082/")
    assert done.stdout == b"1.1"


def test_nghttp(cluster):
    for arguments in (["http://nghttpd:8090/small.txt"], ["-m", "20", "http://nghttpd:8090/small.txt"],
                      ["-d", str(PEERS / "http2.js"), "http://node2:8092/echo"], ["--no-dep", "http://node2:8092/trailers"],
                      ["-w", "10", "-W", "10", "http://nghttpd:8090/small.txt"], ["-b", "200", "http://nghttpd:8090/small.txt"],
                      ["--max-concurrent-streams=1", "-m", "5", "http://nghttpd:8090/small.txt"]):
        plain, meshed = cluster.both("client", "nghttp", *arguments)
        assert plain.stdout and plain.stdout == meshed.stdout, arguments


@pytest.mark.parametrize("arguments, count", [
    (["-n", "5000", "-c", "8", "-m", "16", "http://nghttpd:8090/small.txt"], 5000),
    (["-n", "5000", "-c", "32", "-m", "1", "http://nginx2:8083/small.txt"], 5000),
    (["-n", "2000", "-c", "4", "-m", "100", "-d", str(PEERS / "http2.js"), "http://node2:8092/echo"], 2000),
    (["-n", "20", "-c", "2", "-m", "10", "-w", "16", "-W", "18", "http://nghttpd:8090/big.bin"], 20)],
    ids=["small", "one at a time", "posts", "20 MB each"])
def test_h2load_has_no_errors(cluster, arguments, count):
    for namespace in NAMESPACES:
        text = cluster.run(namespace, "client", "h2load", *arguments, timeout=120).stdout.decode()
        assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in text, f"{namespace}: {text}"
        assert f"status codes: {count} 2xx" in text, f"{namespace}: {text}"


def test_node_http2(cluster):
    plain, meshed = cluster.both("client", "node", str(PEERS / "http2.js"), "ask", "http://node2:8092")
    assert plain.stdout == meshed.stdout and b"100 of 100 echoed\ntrue\nnull 12345678\n" in plain.stdout, meshed.stdout


def test_grpc_is_seen_request_by_request(cluster):
    """Metrics and tap of what flows: each call counts, with its gRPC status."""
    def total(**labels):
        return cluster.metric("response_total", namespace="meshed", deployment="grpc", direction="inbound", **labels)
    before, failures = total(), total(classification="failure")
    cluster.run("meshed", "client", *CLIENT, "grpc:50051", "status")
    until(lambda: total() - before >= 18, "18 calls are counted")
    # UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS; PERMISSION_DENIED to Linkerd's newer proxies.
    assert total(classification="failure") - failures in (5, 6)
    assert total(grpc_status="5") >= 1 and total(grpc_status="14") >= 1
