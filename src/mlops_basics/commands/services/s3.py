"""An S3-compatible server (SeaweedFS) that keeps its data in one folder."""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_basics.commands.services.process import HOST, Daemon, is_free, require_free
from mlops_basics.commands.services.secret_files import write_private
from mlops_basics.config.extras import install_remedy
from mlops_basics.errors import ConfigurationError

REGION = "us-east-1"
START_SECONDS = 60.0
PROBE = "started"  # a bucket with one object, by which a start sees that objects can be read
#: SeaweedFS is four servers in one; each takes a port, and that port + 10000 for gRPC.
INNER = ("master", "volume", "filer", "admin")
GRPC = 10_000
ACCOUNT = "000000000000"  # SeaweedFS has one account, of this number


class S3Server:
    """SeaweedFS on loopback: the administrator's key, and a scorer's that may only read."""

    def __init__(self, folder: Path, port: int, secrets: Mapping[str, str]) -> None:
        """
        Args:
            folder: Everything of the server lies here.
            port: Of S3.
            secrets: ``s3_key``, ``s3_secret``, ``scorer_key``, ``scorer_secret``.
        """
        self.port = port
        self.endpoint = f"http://{HOST}:{port}"
        self.daemon = Daemon(folder, "s3")
        self._folder = folder
        self._secrets = secrets

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers.

        Raises:
            ConfigurationError: If a port is in use, or the server does not come up.
        """
        if self.daemon.pid() and self.answers():
            return
        self.daemon.stop()
        self._folder.mkdir(parents=True, exist_ok=True)
        require_free(self.port, "The S3 server", "--s3-port")
        require_free(self.port + GRPC, "The S3 server's gRPC", "--s3-port")
        self.daemon.launch(self._command(), {**server_environment(), **door_keys()})
        self.daemon.await_answer(self.answers, START_SECONDS)
        self.daemon.await_answer(self._reads_and_writes, START_SECONDS)

    def stop(self) -> None:
        """End the server; what it acknowledged is on the disk."""
        self.daemon.stop()

    def answers(self) -> bool:
        """Whether the server says that it is well."""
        return http_ok(f"{self.endpoint}/healthz")

    def _reads_and_writes(self) -> bool:
        """Whether objects are there: the door answers seconds before it knows where they lie."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        try:
            if PROBE in [item["Name"] for item in client.list_buckets()["Buckets"]]:
                for item in client.list_objects_v2(Bucket=PROBE).get("Contents", ()):
                    client.get_object(Bucket=PROBE, Key=item["Key"])["Body"].read()
            else:
                client.create_bucket(Bucket=PROBE)
            client.put_object(Bucket=PROBE, Key="started", Body=b"1")
            client.get_object(Bucket=PROBE, Key="started")["Body"].read()
        except (BotoCoreError, ClientError):
            return False
        return True

    def environment(self, role: str = "s3") -> dict[str, str]:
        """The standard AWS variables of a role: ``s3`` may do everything, ``scorer`` only read."""
        return {
            "AWS_ACCESS_KEY_ID": self._secrets[f"{role}_key"],
            "AWS_SECRET_ACCESS_KEY": self._secrets[f"{role}_secret"],
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self) -> Any:
        """A boto3 client of the administrator."""
        import boto3

        settings = self.environment()
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )

    def create_bucket(self, bucket: str) -> None:
        """Create a bucket if it is missing, whose production prefix the scorer may read."""
        client = self.client()
        if bucket not in [item["Name"] for item in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        scorer = f"arn:aws:iam::{ACCOUNT}:user/scorer"
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(read_only(bucket, scorer)))

    def _command(self) -> list[str]:
        data = self._folder / "s3"
        data.mkdir(mode=0o700, exist_ok=True)
        config = self._folder / "s3_identities.json"
        write_private(config, json.dumps({"identities": self._identities()}))
        off = {"admin.ui": "false", "webdav": "false", "master.telemetry": "false"}
        options = {
            "dir": str(data),
            "ip": HOST,  # its defaults listen on every interface, and report to its maker
            "ip.bind": HOST,
            "s3.config": str(config),
            "s3.port": str(self.port),
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.autoCreateBucket": "false",
            "volume.max": "2000",  # each bucket takes some; by default about 60 buckets fill it
            **off,
            **{f"{name}.port": str(port) for name, port in self._inner_ports().items()},
        }
        return [_weed(), "mini", *(f"-{name}={value}" for name, value in options.items())]

    def _identities(self) -> list[dict[str, Any]]:
        rights = {"s3": ["Admin", "Read", "Write", "List", "Tagging"], "scorer": []}
        return [
            {
                "name": role,
                "credentials": [
                    {
                        "accessKey": self._secrets[f"{role}_key"],
                        "secretKey": self._secrets[f"{role}_secret"],
                    }
                ],
                "actions": actions,
            }
            for role, actions in rights.items()
        ]

    def _inner_ports(self) -> dict[str, int]:
        """Free ports, the same ones at every start: the master knows its volumes by them."""
        known = self._folder / "s3_ports.json"
        if known.is_file():
            ports: dict[str, int] = json.loads(known.read_text(encoding="utf-8"))
            for name, port in ports.items():
                for number in (port, port + GRPC):
                    require_free(number, f"The S3 server's {name}", f"remove {known} to draw anew")
            return ports
        ports = dict(zip(INNER, free_ports(len(INNER)), strict=True))
        known.write_text(json.dumps(ports), encoding="utf-8")
        return ports


def read_only(bucket: str, principal: str) -> dict[str, Any]:
    """The bucket policy of a scorer: it reads and lists production, and nothing else."""
    who = {"Effect": "Allow", "Principal": {"AWS": principal}}
    listing = {"StringLike": {"s3:prefix": ["production", "production/*"]}}
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**who, "Action": ["s3:GetObject"], "Resource": f"{arn}/production/*"},
            {**who, "Action": ["s3:ListBucket"], "Resource": arn, "Condition": listing},
        ],
    }


def free_ports(count: int) -> list[int]:
    """Free ports, with free gRPC twins; below those that systems hand out by chance."""
    numbers = random.sample(range(12_000, 22_000), 500)
    free = (number for number in numbers if is_free(number) and is_free(number + GRPC))
    return [next(free) for _ in range(count)]


def http_ok(address: str) -> bool:
    """Whether an address on this machine answers with success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def server_environment() -> dict[str, str]:
    """This process's environment without anybody's secrets or addresses."""
    hidden = ("AWS_", "MLFLOW_", "PG")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def door_keys() -> dict[str, str]:
    """Keys of this start for the HTTP doors behind S3 (filer and volumes): S3 alone has them.

    Without, whoever reaches the ports reads and writes each object beside the guarded door.
    """
    doors = ("FILER_SIGNING", "FILER_SIGNING_READ", "SIGNING", "SIGNING_READ")
    return {f"WEED_JWT_{door}_KEY": secrets.token_hex(32) for door in doors}


def _weed() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise ConfigurationError(
            f"The S3 server's program `weed` is missing. {install_remedy('services')}"
        )
    return found
