"""Tests of what of a file system of S3 leaves the process."""

from __future__ import annotations

import copy
import pickle

from mlops_basics.storage.s3_file_system import S3FileSystem

KEYS = {"aws_access_key_id": "canary", "aws_secret_access_key": "canary"}


def test_no_key_is_pickled():
    """A worker has its own; where the storage is goes along. In this process nothing is lost."""
    client = {"region_name": "eu-central-1", **KEYS}
    fs = S3FileSystem(
        **dict.fromkeys(("key", "secret", "token"), "canary"),
        endpoint_url="https://s3.example.org",
        client_kwargs=client,
        config_kwargs={"read_timeout": 3},
    )
    sent = pickle.dumps(fs)
    assert b"canary" not in sent
    there = pickle.loads(sent)  # noqa: S301 (our own)
    assert there.storage_options == {
        "endpoint_url": "https://s3.example.org",
        "client_kwargs": {"region_name": "eu-central-1"},
        "config_kwargs": {"read_timeout": 3},
    }
    assert copy.deepcopy(fs) is fs
    assert copy.copy(fs) is fs
