# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote, unchanged: the same answers with the mesh and without it."""
import re
import pytest
from conftest import NAMESPACES, PEERS, until

PYTHON = "/usr/bin/python3"

CURLS = {
    "nginx": ["http://nginx:8080/small.txt"],
    "nginx head": ["-I", "http://nginx:8080/small.txt"],
    "nginx 404": ["http://nginx:8080/absent"],
    "nginx 204": ["-i", "http://nginx:8080/empty"],
    "nginx 301": ["-i", "http://nginx:8080/moved"],
    "nginx 410": ["-i", "http://nginx:8080/gone"],
    "nginx range": ["-r", "5-1000", "http://nginx:8080/big.bin"],
    "nginx http/1.0": ["--http1.0", "-i", "http://nginx:8080/small.txt"],
    "haproxy to nginx": ["-i", "http://haproxy:8081/small.txt"],
    "http.server": ["-i", "http://files:8000/small.txt"],
    "node": ["-i", "http://node:8082/"],
    "node chunked with trailer": ["-i", "--raw", "http://node:8082/chunked"],
    "node 500": ["-i", "http://node:8082/fail"],
    "node post": ["-i", "-d", "a=b", "http://node:8082/echo"],
    "node put with expect": ["-i", "-H", "Expect: 100-continue", "-X", "PUT", "-d", "x" * 5000, "http://node:8082/echo"],
    "node chunked request": ["-i", "-H", "Transfer-Encoding: chunked", "-d", "y" * 70000, "http://node:8082/echo"],
    "several requests on one connection": ["http://nginx:8080/small.txt", "http://nginx:8080/gone", "http://nginx:8080/small.txt"],
    "fully qualified name": ["http://nginx.%NS%.svc.cluster.local:8080/small.txt"],
    "connection close": ["-i", "-H", "Connection: close", "http://node:8082/"],
}
VARYING = re.compile(rb"(?im)^(date|last-modified|etag|server|keep-alive): .*\r?\n")


@pytest.mark.parametrize("name", CURLS)
def test_curl_gets_the_same_bytes(cluster, name):
    answers = []
    for namespace in NAMESPACES:
        arguments = [argument.replace("%NS%", namespace) for argument in CURLS[name]]
        done = cluster.run(namespace, "client", "curl", "-sS", "-m", "20", *arguments)
        answers.append(VARYING.sub(b"", done.stdout))
    assert answers[0] and answers[0] == answers[1]


def test_nginx_sees_the_address_of_its_real_client(cluster):
    for namespace in NAMESPACES:
        own = cluster.run(namespace, "client", "hostname", "-I").stdout.split()[0]
        seen = cluster.run(namespace, "client", "curl", "-sS", "-m", "10", "http://nginx:8080/who").stdout.strip()
        assert seen == own, namespace


def test_python_requests_keeps_a_session(cluster):
    script = (
        "import requests\n"
        "s = requests.Session()\n"
        "for i in range(50):\n"
        "    r = s.post('http://node:8082/echo', data=b'x' * i * 997)\n"
        "    assert r.status_code == 200 and r.content == b'x' * i * 997, i\n"
        "print(s.get('http://node:8082/chunked').text)\n")
    plain, meshed = cluster.both("client", PYTHON, "-c", script)
    assert plain.stdout == meshed.stdout and b"part 4" in plain.stdout


def test_wrk_has_no_errors(cluster):
    for namespace in NAMESPACES:
        done = cluster.run(namespace, "client", "wrk", "-t1", "-c32", "-d3", "http://nginx:8080/small.txt")
        text = done.stdout.decode()
        assert "Socket errors" not in text and "Non-2xx" not in text, f"{namespace}: {text}"
        assert int(re.search(r"(\d+) requests in", text)[1]) > 1000


def test_postgres_with_psql_and_pgbench(cluster):
    for namespace in NAMESPACES:
        def psql(*arguments, **options):
            return cluster.run(namespace, "client", "psql", "-h", "postgres", "-p", "6543", "-U", "postgres", *arguments,
                               **options)
        until(lambda: psql("-c", "select 1", check=False).returncode == 0, "PostgreSQL answers")
        assert psql("-Atc", "select sum(x) from generate_series(1, 100000) x").stdout == b"5000050000\n"
        assert psql("-Atc", "select repeat('z', 3000000)").stdout.strip() == b"z" * 3000000
        failed = psql("-Atc", "select 1/0", check=False)
        assert failed.returncode == 1 and b"division by zero" in failed.stderr
        cluster.run(namespace, "client", "pgbench", "-h", "postgres", "-p", "6543", "-U", "postgres", "-i", "-s", "1",
                    "-q", "postgres")
        done = cluster.run(namespace, "client", "pgbench", "-h", "postgres", "-p", "6543", "-U", "postgres", "-c", "4",
                           "-t", "50", "postgres")
        assert b"200/200" in done.stdout and b"failed transactions: 0" in done.stdout, done.stdout


def test_redis_with_redis_benchmark(cluster):
    for namespace in NAMESPACES:
        done = cluster.run(namespace, "client", "redis-cli", "-h", "redis", "-p", "6380", "set", "key", "value")
        assert done.stdout == b"OK\n"
        done = cluster.run(namespace, "client", "redis-benchmark", "-h", "redis", "-p", "6380", "-n", "5000", "-c", "20",
                           "-t", "set,get", "-q")
        assert done.stdout.count(b"requests per second") == 2


def test_smtp_speaks_first(cluster):
    script = (
        "import smtplib\n"
        "s = smtplib.SMTP('smtp', 2525, timeout=10)\n"
        "print(s.ehlo('me')[0], s.noop()[0])\n"
        "s.sendmail('a@example.test', ['b@example.test'], 'Subject: x\\r\\n\\r\\nbody\\r\\n')\n"
        "print(s.quit()[0])\n")
    plain, meshed = cluster.both("client", PYTHON, "-c", script)
    assert plain.stdout == meshed.stdout == b"250 250\n221\n"


def test_iperf3(cluster):
    for namespace in NAMESPACES:
        for extra in ([], ["-R"]):
            done = cluster.run(namespace, "client", "iperf3", "-c", "iperf", "-t", "1", "-P", "2", *extra)
            assert b"iperf Done" in done.stdout


def test_websocket_passes_through(cluster):
    plain, meshed = cluster.both("client", PYTHON, str(PEERS / "websocket_client.py"), "ws://websocket:8765/")
    assert plain.stdout == meshed.stdout == b"all echoed\n"
