"""Debian's own redis-server with what the embedded one has not: TLS, users, replicas, Sentinels."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER = shutil.which("redis-server")
OPENSSL = shutil.which("openssl")
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def acl_of_readme() -> str:
    """The ACL file as users copy it."""
    (block,) = re.findall(r"```acl\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def openssl(folder: Path, *args: str) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *args], cwd=folder, check=True, capture_output=True)


def certificates(folder: Path) -> None:
    """ca.crt, and server.crt and client.crt signed by it (the server's for both loopback addresses)."""
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(folder, *new, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=lunomm-test-ca", *usage)
    for name in ("server", "client"):
        openssl(folder, *new[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN=lunomm-{name}")
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,IP:127.0.0.2\n")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "ext", "-out", f"{name}.crt")  # fmt: skip


@contextlib.contextmanager
def server(folder: Path, name: str, lines: list[str], *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """One redis-server (or, with ``--sentinel``, a Sentinel) with this configuration; killed at the end."""
    assert SERVER is not None
    conf = folder / f"{name}.conf"
    conf.write_text("\n".join([f"dir {folder}", f"logfile {folder / name}.log", 'save ""', *lines, ""]))
    if "--sentinel" in args:
        conf.write_text("\n".join([f"dir {folder}", f"logfile {folder / name}.log", *lines, ""]))
    child = subprocess.Popen([SERVER, str(conf), *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()


def listens(port: int, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < end, f"nothing listens on {port}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Cluster:
    """servers: the master first. ports, seats: where servers and Sentinels listen."""

    servers: list[subprocess.Popen[bytes]]
    sentinels: list[subprocess.Popen[bytes]]
    ports: list[int]
    seats: list[int]


def _where(port: int, tls: Path | None) -> list[str]:
    """Lines that say where to listen. tls: folder of the certificates; among each other they show the same one."""
    if tls is None:
        return [f"port {port}"]
    return [
        "port 0", f"tls-port {port}", f"tls-cert-file {tls}/server.crt", f"tls-key-file {tls}/server.key",
        f"tls-ca-cert-file {tls}/ca.crt", "tls-auth-clients yes", "tls-replication yes",
    ]  # fmt: skip


@contextlib.contextmanager
def cluster(folder: Path, down_after_ms: int, tls: Path | None = None) -> Iterator[Cluster]:
    """A master, two replicas and three Sentinels. tls: folder of the certificates, where they speak nothing else."""
    ports, seats = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    with contextlib.ExitStack() as stack:
        servers: list[subprocess.Popen[bytes]] = []
        sentinels: list[subprocess.Popen[bytes]] = []
        for number, port in enumerate(ports):
            follow = [f"replicaof 127.0.0.1 {ports[0]}"] if number else []
            lines = [*_where(port, tls), "bind 127.0.0.1", "repl-diskless-sync-delay 0", *follow]
            servers.append(stack.enter_context(server(folder, f"redis-{number}", lines)))
            listens(port)
        for number, seat in enumerate(seats):
            lines = [
                *_where(seat, tls),
                "bind 127.0.0.1",
                f"sentinel monitor lunomm 127.0.0.1 {ports[0]} 2",
                f"sentinel down-after-milliseconds lunomm {down_after_ms}",
                "sentinel failover-timeout lunomm 6000",
            ]
            sentinels.append(stack.enter_context(server(folder, f"sentinel-{number}", lines, "--sentinel")))
        for seat in seats:
            listens(seat)
        yield Cluster(servers, sentinels, ports, seats)
