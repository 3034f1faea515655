#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processor time per request, rates, latencies and memory of apus-proxy beside nginx, HAProxy and Envoy.

One run, one path (client - proxy - backend in three network namespaces), one worker each, all of apus-proxy's metrics on.
Rounds are interleaved in random order and compared within a round, so that what else the machine does hits all alike.
"""
import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import accounting
import servers
from network import PROXY_FRONT, Network

HERE = os.path.dirname(os.path.abspath(__file__))


def wrk(path, connections):
    """HTTP/1.1: makes wrk's words, and reads what it says. Times in microseconds."""
    def command(url, seconds, directory):
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", f"{HERE}/report.lua", url + path]
    return command, lambda text: json.loads(text.strip().splitlines()[-1])


def h2load(path, connections, streams, grpc=False):
    """HTTP/2 with prior knowledge: the same by h2load, which tells a mean but no percentiles."""
    def command(url, seconds, directory):
        words = ["h2load", f"-c{connections}", f"-m{streams}", f"-D{seconds}", url + path]
        if grpc:
            words += ["-d", f"{directory}/message", "-H", "content-type: application/grpc", "-H", "te: trailers"]
        return words

    def read(text):
        total, done, failed, errored, timeout = map(int, re.search(
            r"requests: (\d+) total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
            text).groups())
        others = sum(map(int, re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text).groups()))
        return {"requests": done, "duration": float(re.search(r"finished in ([\d.]+)s", text)[1]) * 1e6,
                "p50": None, "p99": None, "errors": failed + errored + timeout + others}
    return command, read


#: Row: the load, the servers that are compared.
ROWS = {
    "small": (wrk("/small", 32), ["apus", "apus-no-spin", "nginx", "haproxy", "envoy"]),
    "10 KB": (wrk("/10k", 32), ["apus", "nginx", "haproxy", "envoy"]),
    "opaque TCP": (wrk("/small", 32), ["apus-opaque", "haproxy-tcp"]),
    "1 connection": (wrk("/small", 1), ["apus", "apus-no-spin", "nginx", "haproxy"]),
    "2 connections": (wrk("/small", 2), ["apus", "apus-no-spin", "nginx", "haproxy"]),
    "h2 small 8x16": (h2load("/small", 8, 16), ["apus-h2", "nginx-h2", "haproxy-h2", "envoy-h2"]),
    "h2 small 32x1": (h2load("/small", 32, 1), ["apus-h2", "nginx-h2", "haproxy-h2", "envoy-h2"]),
    "h2 10 KB 8x16": (h2load("/10k", 8, 16), ["apus-h2", "nginx-h2", "haproxy-h2", "envoy-h2"]),
    "h2 10 KB 32x1": (h2load("/10k", 32, 1), ["apus-h2", "nginx-h2", "haproxy-h2", "envoy-h2"]),
    "gRPC unary 8x16": (h2load(servers.GRPC_PATH, 8, 16, grpc=True), ["apus-grpc", "envoy-grpc"]),
    "gRPC unary 32x1": (h2load(servers.GRPC_PATH, 32, 1, grpc=True), ["apus-grpc", "envoy-grpc"]),
}
#: Row: server, the most that apus-proxy's processor time per request may be of its.
BARS = {
    "small": {"haproxy": 0.92, "nginx": 0.95, "envoy": 0.30},
    "10 KB": {"haproxy": 0.92, "nginx": 0.95, "envoy": 0.30},
    "opaque TCP": {"haproxy-tcp": 1.0},
    **{row: {"haproxy-h2": 0.85, "nginx-h2": 0.60, "envoy-h2": 0.40} for row in ROWS if row.startswith("h2 ")},
    **{row: {"envoy-grpc": 0.40} for row in ROWS if row.startswith("gRPC ")},
}
PROXY_CPU, OTHERS_CPU = 1, 0
IDLE_CONNECTIONS = 1000


def measure(network, server, load, seconds, directory):
    """One run of a load; times in microseconds."""
    command, read = load
    words = command(f"http://{PROXY_FRONT}:{servers.PORT[server.name]}", seconds, directory)
    pids = server.pids
    before, split_before = accounting.run_time(pids), accounting.user_and_system(pids)
    done = subprocess.run(network.enter("client", OTHERS_CPU) + words, capture_output=True, text=True, check=True)
    after, split_after = accounting.run_time(pids), accounting.user_and_system(pids)
    result = read(done.stdout)
    if result["errors"] or not result["requests"]:
        raise RuntimeError(f"{server.name}: {result['errors']} errors of {result['requests']}: {' '.join(words)}")
    user, system = (late - early for late, early in zip(split_after, split_before))
    each = (after - before) / result["requests"] * 1e6
    return {
        "cpu": each, "user": each * user / ((user + system) or 1), "rate": result["requests"] / result["duration"] * 1e6,
        "p50": result["p50"], "p99": result["p99"]}


def run(network, running, rows, rounds, seconds, directory, log):
    results = {row: {name: [] for name in names} for row, (_, names) in rows.items()}
    for number in range(rounds):
        for row, (load, names) in rows.items():
            for name in random.sample(names, len(names)):
                results[row][name].append(measure(network, running[name], load, seconds, directory))
        log(f"round {number + 1} of {rounds}")
    return results


def memory(network, server):
    """Resident KiB before and with idle connections that have each made a request."""
    before = accounting.resident_kib(server.pids)
    holder = subprocess.Popen(
        network.enter("client") + ["python3", f"{HERE}/hold.py", PROXY_FRONT, str(servers.PORT[server.name]),
                                   str(IDLE_CONNECTIONS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if holder.stdout.readline() != "held\n":
            raise RuntimeError(f"{server.name}: idle connections are not held")
        return {"idle_kib": before, "kib_per_connection": (accounting.resident_kib(server.pids) - before) / IDLE_CONNECTIONS}
    finally:
        holder.stdin.close()
        holder.wait()


def middle(samples, key):
    """The median, or None if it was not measured."""
    values = [sample[key] for sample in samples]
    return None if None in values else statistics.median(values)


def ratio(results, row, name, other):
    """The median over rounds of the ratio within a round."""
    return statistics.median(
        one["cpu"] / two["cpu"] for one, two in zip(results[row][name], results[row][other], strict=True))


def table(results, memories):
    lines = ["| row | proxy | µs/request (user) | apus relative to it | requests/s | p50 µs | p99 µs |",
             "|---|---|---|---|---|---|---|"]
    for row, names in results.items():
        first = next(iter(names))
        for name, samples in names.items():
            relative = "1" if name == first else f"{ratio(results, row, first, name):.2f}"
            p50, p99 = (f"{value:.0f}" if value is not None else "-" for value in (
                middle(samples, "p50"), middle(samples, "p99")))
            lines.append(
                f"| {row} | {name} | {middle(samples, 'cpu'):.1f} ({middle(samples, 'user'):.1f}) | {relative} | "
                f"{middle(samples, 'rate'):,.0f} | {p50} | {p99} |")
    if not memories:
        return "\n".join(lines)
    lines += ["", f"| proxy | idle KiB | KiB per idle connection (of {IDLE_CONNECTIONS:,}) |", "|---|---|---|"]
    lines += [f"| {name} | {m['idle_kib']:,} | {m['kib_per_connection']:.1f} |" for name, m in memories.items()]
    return "\n".join(lines)


def verdicts(results):
    for row, bars in BARS.items():
        if row not in results:
            continue
        first = next(iter(results[row]))
        for other, bar in bars.items():
            value = ratio(results, row, first, other)
            yield row, other, value, bar, value <= bar


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-path", default=".build/data-plane", help="where the release build is")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 second: whether it works, not how fast")
    parser.add_argument("--rows", default="", metavar="PATTERN", help="only rows whose name has this regular expression")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if os.geteuid() != 0:
        sys.exit("bench: needs root, for network namespaces")
    rows = {row: of_row for row, of_row in ROWS.items() if re.search(options.rows, row)}
    wanted = {name for _, names in rows.values() for name in names}
    binaries, missing = servers.find_binaries(options.build_path)
    if missing:
        sys.exit("\n".join(f"bench: {line}" for line in missing))

    def log(text):
        print(text, file=sys.stderr, flush=True)

    directory = tempfile.mkdtemp(prefix="apus-bench-")
    started = []
    try:
        with Network() as network:
            for backend in servers.start_backends(network, directory, OTHERS_CPU):
                started.append(backend)
                servers.wait_until_serving(backend, network, f"{HERE}/hold.py")
            running = {}
            for name in (name for name in servers.PORT if name in wanted):
                running[name] = servers.start(name, network, directory, binaries, PROXY_CPU)
                started.append(running[name])
                servers.wait_until_serving(running[name], network, f"{HERE}/hold.py")
            memories = {} if options.rows else {
                name: memory(network, running[name]) for name in ("apus", "nginx", "haproxy", "envoy")}
            results = run(network, running, rows, options.rounds, options.seconds, directory, log)
    finally:
        for server in reversed(started):
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{accounting.machine()}; {options.rounds} rounds of {options.seconds} s, proxy on one processor, client and "
          "backend on the other\n")
    print(table(results, memories))
    print()
    for row, other, value, bar, met in verdicts(results):
        print(f"{'met   ' if met else 'MISSED'} {row}: {value:.2f} of {other}'s processor time per request, at most {bar}")
    if options.json:
        os.makedirs(os.path.dirname(os.path.abspath(options.json)), exist_ok=True)
        with open(options.json, "w") as file:
            json.dump({"machine": accounting.machine(), "results": results, "memory": memories}, file, indent=1)


if __name__ == "__main__":
    main()
