# SPDX-License-Identifier: Apache-2.0
"""The proxy and the agent are killed: what is open dies with the proxy, nothing new is refused, the agent takes over."""
import json
import os
import signal
import threading
import time
from conftest import until

DIAL = """
import socket, sys, time
end = time.monotonic() + float(sys.argv[1])
refused = failed = served = 0
print('go', flush=True)
while time.monotonic() < end:
    try:
        s = socket.create_connection((sys.argv[2], int(sys.argv[3])), 5)
    except ConnectionRefusedError:
        refused += 1
        continue
    except OSError:
        refused += 1
        continue
    try:
        s.settimeout(5)
        s.sendall(b'GET /small.txt HTTP/1.1\\r\\nhost: nginx\\r\\nconnection: close\\r\\n\\r\\n')
        data = b''
        while part := s.recv(65536): data += part
        served += data.endswith(b'hello\\n')
        failed += not data.endswith(b'hello\\n')
    except OSError:
        failed += 1
    s.close()
print(refused, failed, served)
"""


def status(cluster, agent):
    return json.loads(cluster.get(agent, "/api/v1/status"))


def test_killing_the_proxy_refuses_nobody(cluster):
    import subprocess
    dialler = cluster.start("meshed", "client", "/usr/bin/python3", "-c", DIAL, "6", "nginx", "8080",
                            stdout=subprocess.PIPE, text=True)
    assert dialler.stdout.readline() == "go\n"
    for agent in cluster.agents:
        pid = status(cluster, agent)["proxy"]["pid"]
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        def is_back():
            proxy = status(cluster, agent)["proxy"]
            return proxy["pid"] not in (None, 0, pid) and proxy["connected"]
        until(is_back, "the proxy is back", 5, pause=0.005)
        away = time.monotonic() - killed
        print(f"proxy back after {away * 1000:.0f} ms")
        assert away < 0.2, f"{away * 1000:.0f} ms without a proxy"
    refused, failed, served = map(int, dialler.stdout.readline().split())
    dialler.wait()
    assert refused == 0, f"{refused} refused, {failed} broke off, {served} served"
    assert served > 50 and failed <= 8, f"{failed} broke off, {served} served"


def test_killing_the_agent_loses_no_connection(cluster):
    import subprocess
    script = """
import socket, sys
s = socket.create_connection(('peer', 9000)); s.settimeout(20); s.sendall(b'echo\\n')
for line in sys.stdin:
    s.sendall(b'ping'); assert s.recv(4) == b'ping'; print('pong', flush=True)
"""
    talk = cluster.start("meshed", "client", "/usr/bin/python3", "-c", script, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, bufsize=1)
    def ping():
        talk.stdin.write("x\n")
        talk.stdin.flush()
        return talk.stdout.readline() == "pong\n"
    assert ping()
    before = [status(cluster, agent)["proxy"]["pid"] for agent in cluster.agents]
    dialler = cluster.start("meshed", "client", "/usr/bin/python3", "-c", DIAL, "8", "nginx", "8080",
                            stdout=subprocess.PIPE, text=True)
    assert dialler.stdout.readline() == "go\n"
    for pid in agent_pids(cluster):
        os.kill(pid, signal.SIGKILL)
    assert ping(), "the proxy goes on without its agent"
    def is_ready(agent):
        try:
            return cluster.get(agent, "/ready").startswith("ready")
        except OSError:
            return False
    for agent in cluster.agents:
        until(lambda: is_ready(agent), "the new agent is ready", 30)
    assert [status(cluster, agent)["proxy"]["pid"] for agent in cluster.agents] == before, "the proxy was kept"
    assert ping(), "a connection from before both still works"
    refused, failed, served = map(int, dialler.stdout.readline().split())
    dialler.wait()
    talk.stdin.close()
    talk.wait()
    assert (refused, failed) == (0, 0) and served > 50


def agent_pids(cluster):
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
        except OSError:
            continue
        if words[0].endswith("apus-agent") and any(cluster.state in word for word in words):
            pids.append(int(pid))
    assert len(pids) == len(cluster.agents), pids
    return pids
