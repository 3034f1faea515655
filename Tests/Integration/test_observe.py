# SPDX-License-Identifier: Apache-2.0
"""What a platform engineer sees: metrics per pod, stat, tap."""
import json
import re
import subprocess
from conftest import BIN, until


def test_every_request_is_counted_on_both_sides(cluster):
    def count(direction, deployment):
        return cluster.metric("response_total", direction=direction, namespace="meshed", deployment=deployment,
                              status_code="410")
    before = count("outbound", "client"), count("inbound", "nginx")
    cluster.run("meshed", "client", "sh", "-c", "for i in $(seq 50); do curl -s -o /dev/null http://nginx:8080/gone; done")
    until(lambda: count("outbound", "client") - before[0] == 50, "the caller's side counts 50")
    until(lambda: count("inbound", "nginx") - before[1] == 50, "the callee's side counts 50")


def test_failures_count_as_failures(cluster):
    def failed():
        return cluster.metric("response_total", direction="inbound", namespace="meshed", deployment="node",
                              classification="failure", status_code="500")
    before = failed()
    cluster.run("meshed", "client", "sh", "-c", "for i in $(seq 10); do curl -s -o /dev/null http://node:8082/fail; done")
    until(lambda: failed() - before == 10, "ten failures")


def test_what_is_not_in_the_mesh_is_not_seen(cluster):
    assert cluster.metric("request_total", namespace="plain") == 0
    assert cluster.metric("tcp_open_total", namespace="plain") == 0


def test_stat_shows_rates_and_latencies(cluster):
    load = cluster.start("meshed", "client", "wrk", "-t1", "-c2", "-d8", "http://nginx:8080/small.txt",
                         stdout=subprocess.DEVNULL)
    try:
        def row():
            rows = [row for row in cluster.stat("deploy", "-n", "meshed", "-t", "5s") if row["name"] == "nginx"]
            return rows[0] if rows and rows[0].get("rps") and rows[0]["rps"] > 100 else None
        row = until(row, "nginx has a rate")
        assert row["meshed"] == "1/1" and row["success"] == 1.0, row
        assert 0 < row["latency_ms_p50"] <= row["latency_ms_p95"] <= row["latency_ms_p99"] < 1000
    finally:
        load.kill()
        load.wait()


def test_stat_prints_linkerds_columns(cluster):
    done = cluster.apus("stat", "deploy", "-n", "meshed", *[x for agent in cluster.agents for x in ("--agent", agent)])
    assert done.stdout.splitlines()[0].split() == "NAME MESHED SUCCESS RPS LATENCY_P50 LATENCY_P95 LATENCY_P99 TLS".split()


def tap_lines(cluster, *arguments, wanted, traffic):
    agents = [x for agent in cluster.agents for x in ("--agent", agent)]
    tap = subprocess.Popen([str(BIN / "apus"), "tap", *arguments, *agents], stdout=subprocess.PIPE, text=True, bufsize=1)
    lines = []
    try:
        import threading
        reader = threading.Thread(target=lambda: [lines.append(line) for line in tap.stdout], daemon=True)
        reader.start()
        def seen():
            traffic()
            return all(any(re.search(pattern, line) for line in lines) for pattern in wanted)
        try:
            until(seen, f"tap shows {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it showed {lines[:10]}") from None
    finally:
        tap.terminate()
        tap.wait()
    return lines


def test_tap_shows_requests(cluster):
    lines = tap_lines(
        cluster, "deploy/nginx", "-n", "meshed",
        wanted=[r"^req id=\d+:\d+ proxy=in  src=[\d.]+:\d+ dst=[\d.]+:8080 tls=\S+ :method=GET :authority=nginx:8080 :path=/small.txt",
                r"^rsp id=\d+:\d+ .* :status=200 latency=", r"^end id=\d+:\d+ .* duration=\S+ response-length=6B"],
        traffic=lambda: cluster.run("meshed", "client", "curl", "-s", "http://nginx:8080/small.txt"))
    identity = re.match(r"req (id=\S+)", next(line for line in lines if line.startswith("req")))[1]
    until(lambda: {"req", "rsp", "end"} <= {line.split()[0] for line in lines if identity in line}, "one id, three lines", 1)


def test_tap_filters(cluster):
    def traffic():
        cluster.run("meshed", "client", "curl", "-s", "http://nginx:8080/small.txt", "http://nginx:8080/gone")
    lines = tap_lines(cluster, "deploy/nginx", "-n", "meshed", "--path", "/gone", wanted=[r":path=/gone"], traffic=traffic)
    assert not any(":path=/small.txt" in line for line in lines)


def test_tap_shows_tcp(cluster):
    tap_lines(cluster, "deploy/peer", "-n", "meshed", wanted=[r"^open id=", r"^close id=.*read="],
              traffic=lambda: cluster.run("meshed", "client", "/usr/bin/python3", "-c",
                                          "import socket; s = socket.create_connection(('greeter', 9001)); s.recv(5)"))
