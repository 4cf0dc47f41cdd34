"""A Dask cluster of processes of its own on loopback, with TLS, and ways to lose parts of it."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from mlops_basics.datasets import parts as parts_dataset
from tests.support.project import ROOT

PATIENCE = 60.0  # seconds
_write = parts_dataset._write


def make_certificate(folder: Path) -> None:
    """A key and a certificate that is its own authority, as docs/how-to/dask.md makes them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@contextmanager
def threads(workers: int = 2) -> Iterator[Any]:
    """A cluster of threads of this process; what they are given is pickled all the same."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as made:
        yield made


@dataclass
class DaskCluster:
    """A scheduler and two nodes, each a nanny and its worker, configured as conf/dask says."""

    folder: Path
    address: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take what conf/dask says; certificates are made."""
        make_certificate(self.folder / ".secrets" / "dask")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tls://127.0.0.1:{free.getsockname()[1]}"
        text = (ROOT / "conf" / "dask" / "dask.yml").read_text(encoding="utf-8")
        self.configuration: dict[str, Any] = yaml.safe_load(text)
        self.configuration["scheduler-address"] = self.address

    @property
    def file(self) -> Path:
        """The ``dask.yml`` that scheduler and workers read."""
        return self.folder / "dask.yml"

    def start(self) -> None:
        """Start what does not run."""
        self.file.write_text(yaml.safe_dump(self.configuration), encoding="utf-8")
        port = self.address.rpartition(":")[2]
        where = ("--host", "127.0.0.1", "--no-dashboard", "--protocol", "tls")
        self._start("scheduler", "scheduler", *where, "--port", port)
        for name in ("node-1", "node-2"):
            folder = self.folder / name
            self._start(name, "worker", *where, "--nthreads", "1", "--local-directory", str(folder))

    def _start(self, name: str, *words: str) -> None:
        running = self.processes.get(name)
        if running is not None and running.poll() is None:
            return
        variables = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "DASK_CONFIG": str(self.file)}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=self.folder,
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """End everything, the workers of nannies that were killed included."""
        processes = list(self.processes.values())
        children = [
            child
            for process in processes
            if process.poll() is None
            for child in psutil.Process(process.pid).children(recursive=True)
        ]
        for process in [*processes, *children]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for process in processes:
            process.wait(PATIENCE)

    def plan(self, victim: str) -> None:
        """Let the next part that is written end with a kill -9: of a worker, a node or all.

        "wait" kills nothing: parts are written when ``go_on`` says so.
        """
        pid = self.processes["scheduler"].pid
        for name in ("go", "waits"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "plan").write_text(f"{victim} {pid}", encoding="utf-8")

    def go_on(self) -> None:
        """Let what waits write its part."""
        (self.folder / "go").touch()

    @property
    def waits(self) -> bool:
        """Whether a worker has a part that it waits to write."""
        return (self.folder / "waits").exists()

    @property
    def is_done(self) -> bool:
        """Whether what was planned has happened."""
        return not (self.folder / "plan").exists()


def wait_for(happened: Callable[[], bool]) -> None:
    """Until it has; raises TimeoutError if that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def write_and_kill(fs: Any, part: Any) -> None:
    """Write a part as the data set does, after the kill that is planned; called on a worker."""
    plan = Path(os.environ["DASK_CONFIG"]).parent / "plan"
    try:
        victim, scheduler = plan.read_text(encoding="utf-8").split()
        if victim not in ("always", "wait"):
            plan.unlink()
    except FileNotFoundError:  # nothing is planned, or another worker does it
        return _write(fs, part)
    if victim == "wait":
        (plan.parent / "waits").touch()
        wait_for((plan.parent / "go").exists)
        return _write(fs, part)
    if victim == "scheduler":
        os.kill(int(scheduler), signal.SIGKILL)
        return _write(fs, part)
    if victim == "node":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    return None  # never
