"""A bucket on the tests' S3 server: opened with good or bad credentials, directly or by a proxy."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mlops_basics.commands.services.s3 import S3Server
from mlops_basics.storage.store_files import StoreFiles
from tests.support.faulty_proxy import FaultyProxy, faulty_proxy

#: Faults are reported in seconds, not minutes: for tests whose server never answers.
HASTY = {
    "connect_timeout": 1,
    "read_timeout": 0.5,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


@dataclass(frozen=True)
class Bucket:
    """One bucket, and how to reach it.

    Attributes:
        name: Its name.
        endpoint: Address of the server, or of a proxy before it.
        key, secret: Credentials.
    """

    name: str
    endpoint: str
    key: str
    secret: str

    @property
    def root(self) -> str:
        """Address of the bucket."""
        return f"s3://{self.name}"

    def credentials(self, **changes: Any) -> dict[str, Any]:
        """What a catalog entry would name."""
        own = {"key": self.key, "secret": self.secret, "endpoint_url": self.endpoint}
        return own | {"client_kwargs": {"region_name": "us-east-1"}} | changes

    def files(self, prefix: str = "store", **changes: Any) -> StoreFiles:
        """Files below a prefix."""
        return StoreFiles(f"{self.root}/{prefix}", self.credentials(**changes))

    def fs(self, **changes: Any) -> Any:
        """The file system that the project opens."""
        import fsspec

        return fsspec.filesystem("s3", **self.credentials(**changes))

    def through(self, endpoint: str) -> Bucket:
        """The same bucket by another address."""
        return Bucket(self.name, endpoint, self.key, self.secret)

    def forbid(self, *actions: str, prefix: str = "") -> None:
        """Let the bucket's policy forbid actions to all users."""
        where = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/{prefix}*"]
        deny = {"Effect": "Deny", "Principal": "*", "Action": list(actions), "Resource": where}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        self.fs().call_s3("put_bucket_policy", Bucket=self.name, Policy=policy)


def make_bucket(server: S3Server) -> Bucket:
    """A new bucket of the administrator."""
    own = server.environment()
    name = f"test-{uuid.uuid4().hex[:20]}"
    keys = own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]
    bucket = Bucket(name, server.endpoint, *keys)
    bucket.fs().call_s3("create_bucket", Bucket=bucket.name)
    return bucket


@pytest.fixture
def bucket(s3_server) -> Bucket:
    """An empty bucket for one test."""
    return make_bucket(s3_server)


@pytest.fixture
def proxy(s3_server, monkeypatch) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server, which breaks the requests that a test names.

    Broken requests are repeated as often as usual, but without botocore's waits in between.
    """
    from botocore.retries.standard import ExponentialBackoff

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
    with faulty_proxy(s3_server.endpoint) as running:
        yield running
