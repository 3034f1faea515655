# SPDX-License-Identifier: Apache-2.0
"""A cluster on this machine with the same programs twice: in namespace `plain` without the mesh, in `meshed` with it.

Every test asks the same question of both and compares the answers. The programs are Debian's, unchanged.
"""
import json, os, pathlib, shutil, subprocess, sys, tempfile, time
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("APUS_BIN", ROOT / "out/bin"))
PEERS = HERE / "peers"
NAMESPACES = ("plain", "meshed")
#: The Python that `make setup` has given PyPI's peers: grpcio and its services.
PYTHON_WITH_PEERS = ["/usr/bin/env", f"PYTHONPATH={ROOT / '.build/peers'}", sys.executable]


def require_root():
    if os.geteuid() != 0:
        reason = "SKIPPED: needs root for namespaces and eBPF"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def until(condition, what, seconds=20, pause=0.05):
    """Waits for a condition with a deadline; returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)  # the pause of a poll, not a wait for luck


def deployment(name, command, port=None, replicas=1, service_port=None, annotations=None):
    """A Deployment and, with a port, its Service."""
    container = {"name": name, "image": "host", "command": command}
    documents = []
    if port:
        container["ports"] = [{"containerPort": port}]
        documents.append({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": service_port or port, "targetPort": port}]}})
    documents.append({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                 "template": {"metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                              "spec": {"containers": [container]}}}})
    return documents


def service(name, application, port):
    """One more Service of a Deployment, for another of its ports."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": application}, "ports": [{"port": port, "targetPort": port}]}}


class Cluster:
    """`apus local` under a state directory of its own."""

    def __init__(self, directory, documents, arguments=()):
        self.directory = pathlib.Path(directory)
        self.state = str(self.directory / "state")
        self.manifest = self.directory / "programs.yml"
        self.manifest.write_text("\n---\n".join(json.dumps(document, indent=1) for document in documents) + "\n")
        self.arguments = list(arguments)

    def apus(self, *arguments, check=True, timeout=120, **options):
        done = subprocess.run([str(BIN / "apus"), *arguments], capture_output=True, text=True, timeout=timeout, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"apus {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def up(self):
        return self.apus("local", "up", "-f", str(self.manifest), "--image", "host=/usr/bin", "--state-directory",
                         self.state, *self.arguments, timeout=180)

    def down(self):
        return self.apus("local", "down", "--state-directory", self.state, check=False)

    def run(self, namespace, pod, *command, check=True, timeout=60, input=None):
        done = subprocess.run(
            [str(BIN / "apus"), "local", "run", "--state-directory", self.state, "-n", namespace, f"deploy/{pod}", "--",
             *command], capture_output=True, timeout=timeout, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"{namespace}: {' '.join(command)}: {done.returncode}\n"
                                 f"{done.stdout[-2000:]}\n{done.stderr[-2000:].decode(errors='replace')}")
        return done

    def start(self, namespace, pod, *command, **options):
        return subprocess.Popen(
            [str(BIN / "apus"), "local", "run", "--state-directory", self.state, "-n", namespace, f"deploy/{pod}", "--",
             *command], **options)

    def both(self, pod, *command, **options):
        """The same command in both namespaces."""
        return [self.run(namespace, pod, *command, **options) for namespace in NAMESPACES]

    @property
    def agents(self):
        description = json.loads((pathlib.Path(self.state) / "cluster.json").read_text())
        return [node["agent"] for node in description["nodes"]]

    def get(self, agent, path):
        import urllib.request
        with urllib.request.urlopen(f"http://{agent}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric over all agents and all series with these labels."""
        total = 0.0
        for agent in self.agents:
            for line in self.get(agent, "/metrics").splitlines():
                if not line.startswith(name + "{") and not line.startswith(name + " "):
                    continue
                if all(f'{key}="{value}"' in line for key, value in labels.items()):
                    total += float(line.rsplit(" ", 1)[1])
        return total

    def stat(self, *arguments):
        done = self.apus("stat", *arguments, "-o", "json", *[x for agent in self.agents for x in ("--agent", agent)])
        return json.loads(done.stdout)


def programs(directory):
    """The manifest's documents: each program once per namespace."""
    www = directory / "www"
    www.mkdir()
    (www / "small.txt").write_text("hello\n")
    (www / "big.bin").write_bytes(os.urandom(20 << 20))
    python = "/usr/bin/python3"
    for name, text in {
        "nginx.conf": f"""daemon off; worker_processes 1; pid {directory}/nginx-%NS%.pid; error_log stderr;
            events {{ worker_connections 1024; }}
            http {{ access_log off; client_max_body_size 0; client_body_temp_path {directory}/body-%NS%;
              proxy_temp_path {directory}/p1; fastcgi_temp_path {directory}/p2; uwsgi_temp_path {directory}/p3;
              scgi_temp_path {directory}/p4; keepalive_timeout 2s;
              server {{ listen 8083 http2; root {www}; }}
              server {{ listen 8080; root {www}; location = /who {{ return 200 "$remote_addr\\n"; }}
                location = /gone {{ return 410; }} location = /empty {{ return 204; }}
                location = /moved {{ return 301 http://example.invalid/; }} }} }}""",
        "haproxy.cfg": """defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend in
  bind :8081
  default_backend web
backend web
  server nginx nginx.%NS%.svc.cluster.local:8080
""",
    }.items():
        for namespace in NAMESPACES:
            (directory / f"{namespace}-{name}").write_text(text.replace("%NS%", namespace))
    documents = []
    for namespace in NAMESPACES:
        inject = "enabled" if namespace == "meshed" else "disabled"
        documents.append({"apiVersion": "v1", "kind": "Namespace",
                          "metadata": {"name": namespace, "annotations": {"apus.io/inject": inject}}})
        data = directory / f"{namespace}-postgres"
        pg = sorted(pathlib.Path("/usr/lib/postgresql").iterdir())[-1] / "bin"
        own = []
        own += deployment("client", ["sleep", "100000"])
        own += deployment("other", ["sleep", "100000"], replicas=2)
        own += deployment("files", [python, "-m", "http.server", "8000", "--directory", str(www)], 8000, replicas=2)
        own += deployment("nginx", ["nginx", "-c", str(directory / f"{namespace}-nginx.conf")], 8080)
        own.append(service("nginx2", "nginx", 8083))
        own += deployment("nghttpd", ["nghttpd", "--no-tls", "-d", str(www), "8090"], 8090)
        own += deployment("node2", ["/usr/bin/env", "node", str(PEERS / "http2.js"), "serve", "8092"], 8092)
        for name, replicas in (("grpc", 1), ("grpc-pair", 2)):
            own += deployment(name, [*PYTHON_WITH_PEERS, str(PEERS / "grpc_server.py"), "50051"], 50051, replicas)
        own += deployment("haproxy", ["haproxy", "-f", str(directory / f"{namespace}-haproxy.cfg")], 8081)
        own += deployment("node", ["/usr/bin/env", "node", str(PEERS / "http.js")], 8082)
        own += deployment("peer", [python, str(PEERS / "peer.py")], 9000)
        own.append(service("greeter", "peer", 9001))
        own += deployment("smtp", [python, "-W", "ignore", "-m", "smtpd", "-n", "-c", "DebuggingServer",
                                   "0.0.0.0:2525"], 2525)
        own += deployment("iperf", ["iperf3", "-s"], 5201)
        own += deployment("websocket", [python, str(PEERS / "websocket_server.py")], 8765)
        own += deployment("redis", ["redis-server", "--port", "6380", "--save", "", "--protected-mode", "no",
                                    "--bind", "0.0.0.0"], 6380)
        own += deployment("postgres", ["bash", str(PEERS / "postgres.sh"), str(pg), str(data), "6543"], 6543)
        for document in own:
            document["metadata"]["namespace"] = namespace
        documents += own
    return documents


@pytest.fixture(scope="session")
def cluster():
    require_root()
    missing = [name for name in ("nginx", "haproxy", "node", "iperf3", "redis-server", "psql", "wrk", "curl",
                                "nghttp", "nghttpd", "h2load")
               if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    missing += [name for name in ("grpc", "grpc_health", "grpc_reflection") if not (ROOT / ".build/peers" / name).exists()]
    assert not missing, f"missing programs: {', '.join(missing)}; run make setup"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-integration-"))
    directory.chmod(0o755)
    made = Cluster(directory, programs(directory))
    try:
        made.up()
        yield made
    finally:
        ended = made.down()
        if os.environ.get("APUS_KEEP") != "1":
            shutil.rmtree(directory, ignore_errors=True)
        assert ended.returncode == 0, ended.stderr
