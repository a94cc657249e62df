#!/usr/bin/env python3
"""Compares `mail-tls gateway` with nginx's mail proxy, HAProxy and stunnel on one machine with one certificate.

usage: gateway.py MAIL-TLS MAIL-LOAD [ROUNDS]

Processor time is that of the server (user and system, all its processes), which other programs on the machine disturb less
than the time that has passed. For "on one core" a server has one core, and its clients and its backend have the others.
Servers are measured in turns. A figure is the median of all rounds with the least and the greatest; a ratio is that of
`mail-tls gateway` to the best other server in the same round. HAProxy and stunnel do not parse IMAP. nginx asks a service
for authentication at each login, and opens its connection to the backend after it.

Debian packages: nginx, libnginx-mod-mail, haproxy, stunnel4, openssl, python3.
"""

import http.server
import os
import pathlib
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HOST = "127.0.0.1"
TICK = os.sysconf("SC_CLK_TCK")


def auth_service(backend_port):
    """Returns the port of the service that nginx asks."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Auth-Status", "OK")
            self.send_header("Auth-Server", HOST)
            self.send_header("Auth-Port", str(backend_port))
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, command, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection((HOST, port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} does not listen")

    def pids(self):
        found, new = [], [self.process.pid]
        while new:
            found += new
            children = []
            for pid in new:
                for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                    children += [int(child) for child in task.read_text().split()]
            new = children
        return found

    def pin(self, cores):
        """Restricts all threads to some cores."""
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), cores)

    def cpu(self):
        """Returns the processor time in seconds."""
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self):
        """Returns the anonymous memory in bytes."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1]) * 1024
        return total


def servers(directory, mail_tls, backend_port):
    """Starts all servers."""
    chain, key, both = (directory / name for name in ("chain.pem", "key.pem", "both.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-keyout", key, "-out", chain, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, stderr=subprocess.DEVNULL)
    both.write_text(chain.read_text() + key.read_text())
    ports = [free_port() for _ in range(4)]
    (directory / "gateway.toml").write_text(f"""
name = "localhost"
certificate = [{{ chain = "chain.pem", key = "key.pem" }}]
log.level = "error"
[[service]]
kind = "imaps"
listen = ["{HOST}:{ports[0]}"]
backend = [{{ host = "{HOST}", port = {backend_port} }}]
[limits]
sessions-per-client = 20000
logins-per-client = 20000
""")
    module = "/usr/lib/nginx/modules/ngx_mail_module.so"
    load = f"load_module {module};" if os.path.exists(module) else ""
    (directory / "nginx.conf").write_text(f"""
{load}
daemon off; worker_processes auto; pid {directory}/nginx.pid; error_log /dev/null;
events {{ worker_connections 20000; }}
mail {{
  auth_http {HOST}:{auth_service(backend_port)};
  server {{ listen {HOST}:{ports[1]} ssl backlog=4096; protocol imap; imap_auth plain login; proxy on; proxy_timeout 24h;
    ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:m:10m; }}
}}
""")
    (directory / "haproxy.cfg").write_text(f"""
global
  maxconn 8000
defaults
  mode tcp
  timeout connect 5s
  timeout client 24h
  timeout server 24h
frontend f
  bind {HOST}:{ports[2]} ssl crt {both} backlog 4096
  default_backend b
backend b
  server s {HOST}:{backend_port}
""")
    (directory / "stunnel.conf").write_text(f"""
foreground = yes
debug = 0
pid =
[imaps]
accept = {HOST}:{ports[3]}
connect = {HOST}:{backend_port}
cert = {both}
""")
    started = [
        Server("mail-tls", [mail_tls, "gateway", "--config", directory / "gateway.toml"], ports[0]),
        Server("nginx", ["nginx", "-e", "/dev/null", "-p", directory, "-c", directory / "nginx.conf"], ports[1]),
        Server("haproxy", ["haproxy", "-f", directory / "haproxy.cfg"], ports[2]),
        Server("stunnel", ["stunnel4", directory / "stunnel.conf"], ports[3]),
    ]
    return started


def context(version=None):
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def connect(server, made, session=None, login=False):
    tcp = socket.create_connection((HOST, server.port), 30)
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = made.wrap_socket(tcp, server_hostname="localhost", session=session)
    if login:
        line(stream)
        stream.sendall(b"a LOGIN u p\r\n")
        answer = line(stream)
        assert answer.startswith(b"a OK"), answer
    return stream


def line(stream):
    octets = b""
    while not octets.endswith(b"\n"):
        more = stream.recv(4096)
        assert more, octets
        octets += more
    return octets


def handshakes(load, server, kind, count=1000, clients=16):
    """Returns the processor time of a handshake with TLS 1.3 in microseconds, and the handshakes in a second."""
    before = server.cpu()
    made = subprocess.run([load, "handshakes", f"{HOST}:{server.port}", str(clients), str(count), kind],
                          check=True, capture_output=True, text=True)
    return (server.cpu() - before) / count * 1e6, float(made.stdout)


def on_one_core(load, server, kind):
    """Returns the handshakes in a second of a server that has one core, while clients and backend have the others."""
    cores = os.sched_getaffinity(0)
    server.pin({min(cores)})
    try:
        return handshakes(load, server, kind)[1]
    finally:
        server.pin(cores)


def fetch(server, mebibytes, parallel):
    """Returns the processor time of a GiB, in seconds."""
    streams = [connect(server, context(), login=True) for _ in range(parallel)]

    def read(stream):
        stream.sendall(b"b FETCH %d\r\n" % mebibytes)
        left, buffer = mebibytes << 20, bytearray(1 << 18)
        while left > 0:
            left -= stream.recv_into(buffer)

    before = server.cpu()
    threads = [threading.Thread(target=read, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = server.cpu() - before
    for stream in streams:
        stream.close()
    return used / (mebibytes * parallel / 1024)


def latency(server, count=300):
    """Returns the median time of NOOP, in microseconds."""
    stream = connect(server, context(), login=True)
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        stream.sendall(b"b NOOP\r\n")
        line(stream)
        times.append(time.perf_counter() - begin)
    stream.close()
    return statistics.median(times) * 1e6


def idle(server, count=1000):
    """Returns the memory of a session that is logged in and idle, in kB. A session has two descriptors of its server."""
    before = server.memory()
    streams = []
    made = context()
    for _ in range(count):
        stream = connect(server, made, login=True)
        stream.sendall(b"b IDLE\r\n")
        line(stream)
        streams.append(stream)
    time.sleep(1)
    each = (server.memory() - before) / count / 1000
    for stream in streams:
        stream.close()
    time.sleep(1)
    return each


def shown(figure):
    return f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    mail_tls, load, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5
    backend = subprocess.Popen([load, "backend"], stdout=subprocess.PIPE, text=True)
    # The name, the measure, and which figure is the best.
    measures = [
        ("full handshake, us of processor", lambda server: handshakes(load, server, "full")[0], min),
        ("resumed handshake, us of processor", lambda server: handshakes(load, server, "resumed")[0], min),
        ("full handshakes/s on one core", lambda server: on_one_core(load, server, "full"), max),
        ("resumed handshakes/s on one core", lambda server: on_one_core(load, server, "resumed"), max),
        ("full handshake up to the greeting, us that pass",
         lambda server: 1e6 / handshakes(load, server, "full", 200, 1)[1], min),
        ("one FETCH of 128 MiB, processor s/GiB", lambda server: fetch(server, 128, 1), min),
        ("100 FETCH of 4 MiB at once, processor s/GiB", lambda server: fetch(server, 4, 100), min),
        ("NOOP, us that pass", latency, min),
    ]
    try:
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            directory.chmod(0o755)
            all_servers = servers(directory, mail_tls, int(backend.stdout.readline()))
            try:
                found = {name: {server.name: [] for server in all_servers} for name, _, _ in measures}
                found["idle session, kB"] = {server.name: [idle(server)] for server in all_servers}
                many = idle(all_servers[0], 9900)
                for _ in range(rounds):
                    for name, measure, _ in measures:
                        for server in all_servers:
                            found[name][server.name].append(measure(server))
            finally:
                for server in all_servers:
                    server.process.terminate()
                for server in all_servers:
                    server.process.wait()
    finally:
        backend.terminate()
        backend.wait()
    ours, *others = [server.name for server in all_servers]
    print(f"| | {ours} | " + " | ".join(others) + " | ratio to the best other |")
    print("|---" * (len(others) + 3) + "|")
    for name, _, best in [*measures, ("idle session, kB", None, min)]:
        figures = found[name]
        rows = [figures[server] for server in (ours, *others)]
        rows.append([mine / best(figures[other][at] for other in others) for at, mine in enumerate(figures[ours])])
        cells = [f"{shown(statistics.median(row))} ({shown(min(row))} to {shown(max(row))})" for row in rows]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"9,900 idle sessions of {ours}: {many:.3g} kB each")


if __name__ == "__main__":
    main()
