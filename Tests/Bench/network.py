# SPDX-License-Identifier: Apache-2.0
"""Three network namespaces in a row: client - proxy - backend, joined by veth pairs in the benchmark range (RFC 2544).

Everything here is removed when the script ends, also by Ctrl-C; what a killed run left behind goes at the next start.
"""

import os
import re
import subprocess

CLIENT, PROXY_FRONT = "198.18.1.2", "198.18.1.1"
BACKEND, PROXY_BACK = "198.18.2.2", "198.18.2.1"
NAME = re.compile(r"^apus-bench-(\d+)-(client|proxy|backend)\b")


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Network:
    """The namespaces of this run; a context manager."""

    def __init__(self):
        self.names = {role: f"apus-bench-{os.getpid()}-{role}" for role in ("client", "proxy", "backend")}

    def __enter__(self):
        remove_stale()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def enter(self, role, cpu=None):
        """The words that run a command in a namespace, on one processor. They exec, so the process id stays."""
        words = ["nsenter", f"--net=/run/netns/{self.names[role]}", "--"]
        return words + (["taskset", "-c", str(cpu)] if cpu is not None else [])

    def _make(self):
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self._join("client", CLIENT, PROXY_FRONT)
        self._join("backend", BACKEND, PROXY_BACK)
        # apus-proxy keeps the source address of its pod, and here the pod is another namespace: answers to that address
        # that arrive from the backend are for the proxy (Documentation/networking/tproxy.rst). The others do not notice.
        proxy = self.names["proxy"]
        ip("-n", proxy, "rule", "add", "iif", "backend", "lookup", "100")
        ip("-n", proxy, "route", "add", "local", CLIENT, "dev", "lo", "table", "100")
        ip("-n", self.names["backend"], "route", "add", CLIENT, "via", PROXY_BACK)

    def _join(self, role, address, proxy_address):
        name, proxy = self.names[role], self.names["proxy"]
        ip("-n", proxy, "link", "add", role, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", proxy, "address", "add", f"{proxy_address}/24", "dev", role)
        ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", proxy, "link", "set", role, "up")
        ip("-n", name, "link", "set", "eth0", "up")

    def _remove(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def remove_stale():
    """Removes the namespaces of runs that were killed."""
    listing = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        found = NAME.match(line)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            subprocess.run(["ip", "netns", "delete", found.group(0)], capture_output=True)
