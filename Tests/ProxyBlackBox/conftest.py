# SPDX-License-Identifier: Apache-2.0
"""apus-proxy alone on loopback: a harness stands in for the agent, these tests are both peers."""
import contextlib, json, os, pathlib, select, socket, struct, subprocess, threading, time
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROXY = os.environ.get("APUS_PROXY", str(ROOT / "out/bin/apus-proxy"))
HARNESS = os.environ.get("APUS_HARNESS", str(ROOT / ".build/data-plane/release/proxy-harness"))


def until(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)  # the pause of a poll, not a wait for luck


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """One apus-proxy under a harness."""

    def __init__(self, endpoints, *arguments, workers=1, environment=None):
        self.port = free_port()
        command = [HARNESS, "--proxy", PROXY, "--listen", f"127.0.0.1:{self.port}", "--workers", str(workers), *arguments]
        for endpoint in endpoints:
            command += ["--endpoint", f"127.0.0.1:{endpoint}"]
        self.lines = []
        self.may_end = False  # a test that ends the proxy says so
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: any(line.startswith("ready") for line in self.lines), "the harness is ready")
        self.pid = int(self.lines[0].split("pid=")[1])

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def connect(self, timeout=5):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def totals(self):
        """The next counters after now."""
        seen = len(self.lines)
        fresh = lambda: [line for line in self.lines[seen:] if line.startswith("{")]
        until(lambda: len(fresh()) >= 2, "counters")
        return json.loads(fresh()[-1])

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def memory(self, field="VmRSS"):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    def is_alive(self):
        with contextlib.suppress(OSError):  # gone between the two looks
            return open(f"/proc/{self.pid}/stat").read().split()[2] != "Z"
        return False

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        finally:
            self.process.kill()
            self.process.stdout.close()


class Upstream:
    """A server on loopback; `behaviour(connection)` runs on a thread for each connection."""

    def __init__(self, behaviour, port=0, backlog=1024):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.behaviour, self.connections = behaviour, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            self.behaviour(connection)

    def end(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_head(connection):
    """Bytes up to and with the empty line, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data, b""
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def read_all(connection):
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def read_exactly(connection, count, data=b""):
    while len(data) < count:
        part = connection.recv(min(65536, count - len(data)))
        if not part:
            break
        data += part
    return data


def start_proxy(ports, *arguments, **options):
    """An apus-proxy; or, with APUS_REFERENCE, another program in its place, to tell whether it is the test that is wrong."""
    if reference := os.environ.get("APUS_REFERENCE"):
        from reference import Reference
        return Reference(reference, ports)
    return Proxy(ports, *arguments, **options)


@pytest.fixture
def make():
    """Makes proxies and upstreams that end with the test."""
    made = []

    class Make:
        def upstream(self, behaviour, **options):
            made.append(Upstream(behaviour, **options))
            return made[-1]

        def proxy(self, endpoints, *arguments, **options):
            proxy = start_proxy([getattr(endpoint, "port", endpoint) for endpoint in endpoints], *arguments, **options)
            made.append(proxy)
            return proxy

    yield Make()
    failed = [item for item in made if not isinstance(item, Upstream) and not item.may_end and not item.is_alive()]
    for item in reversed(made):
        item.end()
    assert not failed, "the proxy died: " + "; ".join(failed[0].lines[-3:])
