#!/usr/bin/env python3
"""Compares `authres milter` with an empty milter and OpenDKIM in verify mode, behind one Postfix on loopback.

usage: milter.py AUTHRES [ROUNDS]

Postfix has a port for each milter and kind of socket, and discards what it takes. Milters are measured in turns. A ratio is one of two
measurements of the same round; a figure is the median of all rounds with the least and the greatest. Processor time is that of the
milter, which other programs on the machine disturb less than the time that has passed.

Debian packages: postfix, opendkim, libmilter-dev, a C compiler. Postfix is started by root only. What is missing is named, and nothing
or less is measured.
"""

import os
import pathlib
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HOST, NAME = "127.0.0.1", "mx.example.net"
HERE = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")
NONE, EMPTY, OURS, DKIM = "none", "empty", "authres milter", "OpenDKIM, mode v"
KINDS = ("TCP", "Unix")
OPTIONS = struct.pack(">IBIII", 13, ord("O"), 6, 0x1FF, 0x1FFFFF)


def free_ports(count):
    probes = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def compiled(directory):
    """Returns the empty milter, or None if it cannot be compiled."""
    program = directory / "empty"
    command = ["cc", "-O2", "-o", program, HERE / "empty_milter.c", "-lmilter", "-lpthread"]
    if shutil.which("cc") and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
        return program
    return None


class Milter:
    def __init__(self, command, kind, address):
        self.kind, self.address = kind, address
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{command[0]} does not listen")

    def connect(self):
        if self.kind == "TCP":
            return socket.create_connection((HOST, self.address), 30)
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(30)
        stream.connect(str(self.address))
        return stream

    def postfix(self):
        """Returns the name of the socket in main.cf."""
        return f"inet:{HOST}:{self.address}" if self.kind == "TCP" else f"unix:{self.address}"

    def cpu(self):
        """Returns the processor time in seconds."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self):
        """Returns the resident memory in MB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        raise SystemExit("a milter ended")

    def open_connections(self, count=1000):
        """Returns the memory that connections take which have negotiated, and the memory before, in MB."""
        before, streams = self.memory(), []
        for _ in range(count):
            stream = self.connect()
            stream.sendall(OPTIONS)
            assert stream.recv(4096)[4:5] == b"O"
            streams.append(stream)
        with_them = self.memory()
        for stream in streams:
            stream.close()
        time.sleep(1)
        return with_them - before, before


def milters(directory, authres, kind, port_of, empty):
    """Starts the milters that are installed on one kind of socket."""

    def address(name):
        return port_of() if kind == "TCP" else directory / "sockets" / f"{name}"

    def written(name, of):
        return f"inet:{of}@{HOST}" if kind == "TCP" else f"{name}:{of}"

    started = {}
    if empty:
        of = address("empty")
        started[EMPTY] = Milter([empty, written("unix", of)], kind, of)
    of = address("authres")
    listen = f"inet:{HOST}:{of}" if kind == "TCP" else f"unix:{of}"
    ours = [authres, "milter", "--authserv-id", NAME, "--listen", listen, "--socket-mode", "0666"]
    started[OURS] = Milter(ours, kind, of)
    if shutil.which("opendkim"):
        of = address("opendkim")
        hosts, configuration = directory / "hosts", directory / f"dkim.{kind}"
        hosts.write_text("192.0.2.255\n")
        configuration.write_text(
            f"Mode v\nSocket {written('local', of)}\nUMask 000\nAuthservID {NAME}\nAlwaysAddARHeader yes\nSyslog no\n"
            f"Background no\nNameservers 127.0.0.1\nDNSTimeout 1\nInternalHosts {hosts}\n")
        started[DKIM] = Milter(["opendkim", "-f", "-x", configuration], kind, of)
    return started


def postfix(directory, services):
    """Writes the configuration: a port for each list of milters."""
    for name in ("etc", "spool", "data"):
        (directory / name).mkdir()
    shutil.chown(directory / "data", "postfix")
    (directory / "etc/main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {HOST}
inet_protocols = ipv4
myhostname = {NAME}
mydestination = example.net
alias_maps =
alias_database =
local_recipient_maps =
local_transport = discard
maillog_file = {directory}/data/maillog
maillog_file_prefixes = {directory}
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
""")
    ports = "".join(f"{HOST}:{port} inet n - n - - smtpd\n  -o {{ smtpd_milters = {names} }}\n" for port, names in services)
    (directory / "etc/master.cf").write_text(ports + """
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
verify unix - - n - 1 verify
""")


def command(directory, word):
    subprocess.run(["postfix", "-c", directory / "etc", word], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def send(port, count, parallel):
    """Returns the seconds in which Postfix took the messages, one a session."""
    begin = time.perf_counter()
    subprocess.run(
        ["smtp-source", "-m", str(count), "-s", str(parallel), "-f", "a@example.com", "-t", "u@example.net", f"{HOST}:{port}"],
        check=True)
    return time.perf_counter() - begin


def settled(directory):
    """Waits until Postfix has discarded what it took, so that no measurement pays for the one before."""
    for _ in range(600):
        if not any(path.is_file() for name in ("incoming", "active") for path in (directory / "spool" / name).rglob("*")):
            return
        time.sleep(0.05)


def cell(figures, digits=3):
    return f"{statistics.median(figures):.{digits}g} ({min(figures):.{digits}g} to {max(figures):.{digits}g})"


def main():
    missing = [name for name in ("postfix", "smtp-source") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        print("skipped: " + (f"{', '.join(missing)} not installed" if missing else "Postfix is started by root only"))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    authres, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        directory.chmod(0o755)
        (directory / "sockets").mkdir(mode=0o755)
        empty = compiled(directory)
        if not empty:
            print("skipped, so that there are no ratios: the empty milter, which cc and libmilter-dev make")
        if not shutil.which("opendkim"):
            print("skipped: opendkim, which is not installed")
        ports = iter(free_ports(10))
        started, services = {}, {(NONE, ""): next(ports)}
        try:
            for kind in KINDS:
                for name, milter in milters(directory, authres, kind, lambda: next(ports), empty).items():
                    started[name, kind] = milter
                    services[name, kind] = next(ports)
            postfix(directory, [(port, started[of].postfix() if of in started else "") for of, port in services.items()])
            command(directory, "start")
            try:
                report(directory, started, services, rounds)
            finally:
                command(directory, "stop")
        finally:
            for milter in started.values():
                milter.process.terminate()
            for milter in started.values():
                try:
                    milter.process.wait(10)
                except subprocess.TimeoutExpired:
                    milter.process.kill()


def report(directory, started, services, rounds):
    memory = {of: milter.open_connections() for of, milter in started.items()}
    measures = {"a message, ms": 1, "messages/s": 20}
    found = {(what, of): [] for what in [*measures, "processor, us"] for of in services}
    for port in services.values():
        send(port, 20, 20)
        settled(directory)
    load = [os.getloadavg()[0]]
    for _ in range(rounds):
        for what, parallel in measures.items():
            for of, port in services.items():
                count = 60 if parallel == 1 and of[1] == "TCP" else 600
                before = started[of].cpu() if of in started else 0
                seconds = send(port, count, parallel)
                found[what, of].append(seconds / count * 1000 if parallel == 1 else count / seconds)
                if parallel > 1 and of in started:
                    found["processor, us", of].append((started[of].cpu() - before) / count * 1e6)
                settled(directory)
        load.append(os.getloadavg()[0])
    print(f"{rounds} rounds, load {min(load):.0f} to {max(load):.0f} on {os.cpu_count()} cores\n")
    columns = ["milter", "socket", "a message, ms", "beside the empty one", "messages/s, 20 in parallel", "beside the empty one",
               "processor time of a message, us", "memory before, MB", "1,000 connections, MB"]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for of in services:
        name, kind = of
        cells = [name, kind]
        for what in measures:
            figures, beside = found[what, of], found.get((what, (EMPTY, kind)))
            cells.append(cell(figures))
            ratios = [figure / least for figure, least in zip(figures, beside)] if beside and name != EMPTY else None
            cells.append(cell(ratios) if ratios else "")
        cells.append(cell(found["processor, us", of]) if of in started else "")
        cells += [f"{memory[of][1]:.1f}", f"{memory[of][0]:.1f}"] if of in started else ["", ""]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
