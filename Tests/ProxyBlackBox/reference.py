# SPDX-License-Identifier: Apache-2.0
"""Other proxies in apus-proxy's place: APUS_REFERENCE=haproxy|envoy|nghttpx python3 -m pytest Tests/ProxyBlackBox/test_h2_...

No test of the project: it shows whether a vector that fails is right, and how others read the RFC.
"""
import json, os, pathlib, shutil, socket, subprocess, tempfile
from conftest import ROOT, free_port, until

ENVOY = ROOT / ".build/data-plane/bench/envoy/_bin/envoy"


class Reference:
    """One proxy from a port of its own to the endpoints, HTTP/2 on both sides; as `Proxy`, without counters."""

    def __init__(self, name, ports):
        self.port, self.may_end, self.lines = free_port(), False, []
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="apus-reference-"))
        command = getattr(self, "_" + name)([f"127.0.0.1:{port}" for port in ports])
        self.log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.pid = self.process.pid
        try:
            until(self._listens, f"{name} listens")
        except AssertionError as error:
            raise AssertionError(f"{error}: {open(self.log.name).read()[-1000:]}") from None

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connect(self, timeout=5):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def is_alive(self):
        return self.process.poll() is None

    def memory(self, field="VmRSS"):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _nghttpx(self, endpoints):
        return ["nghttpx", "--workers=1", f"--frontend=127.0.0.1,{self.port};no-tls", "--accesslog-file=/dev/null",
                *[f"--backend={endpoint.replace(':', ',')};;proto=h2" for endpoint in endpoints], "--conf=/dev/null",
                "--backend-read-timeout=60s"]

    def _haproxy(self, endpoints):
        servers = "\n".join(f"    server s{number} {endpoint} proto h2" for number, endpoint in enumerate(endpoints))
        (self.directory / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    tune.http.maxhdr 256
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    http-reuse always
    retry-on conn-failure empty-response 503
frontend front
    bind 127.0.0.1:{self.port} proto h2
    default_backend back
backend back
{servers}
""")
        return ["haproxy", "-db", "-f", str(self.directory / "haproxy.cfg")]

    def _envoy(self, endpoints):
        def address(text):
            host, port = text.split(":")
            return {"socket_address": {"address": host, "port_value": int(port)}}
        kind = "type.googleapis.com/envoy.extensions."
        manager = {
            "@type": kind + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "x",
            "codec_type": "HTTP2", "http2_protocol_options": {"allow_connect": True},
            "upgrade_configs": [{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0s", "retry_policy": {
                    "retry_on": "refused-stream,connect-failure,reset-before-request"}}}]}]},
            "http_filters": [{"name": "router", "typed_config": {"@type": kind + "filters.http.router.v3.Router"}}]}
        options = {"@type": kind + "upstreams.http.v3.HttpProtocolOptions",
                   "explicit_http_config": {"http2_protocol_options": {"allow_connect": True}}}
        (self.directory / "envoy.json").write_text(json.dumps({"static_resources": {
            "listeners": [{"address": address(f"127.0.0.1:{self.port}"), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [{"name": "back", "connect_timeout": "1s", "load_assignment": {
                "cluster_name": "back", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": address(endpoint)}} for endpoint in endpoints]}]},
                "typed_extension_protocol_options": {kind.split("/")[1] + "upstreams.http.v3.HttpProtocolOptions": options}}]}}))
        ENVOY.chmod(0o755)
        return [str(ENVOY), "-c", str(self.directory / "envoy.json"), "--concurrency", "1", "--disable-hot-restart",
                "--log-level", "error"]
