"""Tests of the messages about failing storage."""

from __future__ import annotations

import errno

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from kedro.io import DatasetError
from s3fs.errors import translate_boto_error

from mlops_basics.errors import StorageError
from mlops_basics.storage.faults import readable_faults, storage_problem


def of_s3(code, operation="GetObject"):
    """An error as s3fs raises it."""
    return translate_boto_error(ClientError({"Error": {"Code": code, "Message": "no"}}, operation))


@pytest.mark.parametrize(
    ("error", "action", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), "write", "The disk is full"),
        (PermissionError(errno.EACCES, "denied"), "write", "read-only for you"),
        (FileExistsError(errno.EEXIST, "exists"), "write", "move it away"),
        (of_s3("AccessDenied"), "list", "allow s3:ListBucket"),
        (of_s3("AccessDenied"), "read", "allow s3:GetObject"),
        (of_s3("AccessDenied"), "write", "allow s3:PutObject"),
        (of_s3("ExpiredToken"), "read", "have expired"),
        (of_s3("InvalidAccessKeyId"), "read", "does not know these credentials"),
        (of_s3("RequestTimeTooSkewed"), "read", "clock of this machine"),
        (of_s3("NoSuchBucket"), "write", "bucket is gone"),
        (of_s3("400", "HeadObject"), "read", "does not say why"),
        (of_s3("InternalError"), "write", "tried several times"),
        (of_s3("SomethingNew"), "write", "tried several times"),
        (EndpointConnectionError(endpoint_url="http://x"), "read", "AWS_ENDPOINT_URL"),
    ],
)
def test_a_fault_is_one_line_with_a_remedy(error, action, words):
    """It names the file and keeps the cause."""
    with pytest.raises(StorageError, match=words) as caught, readable_faults(action, "here/a"):
        raise error
    assert str(caught.value).startswith(f"Cannot {action} here/a: ")
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__cause__ is error


def test_other_errors_pass():
    """An error in the code is not reported as a storage fault."""
    with pytest.raises(KeyError), readable_faults("read", "a"):
        raise KeyError("a")


def test_the_storage_behind_kedros_errors_is_found():
    """Kedro wraps what its own data sets raise."""
    wrapped = DatasetError("Failed while loading data")
    wrapped.__cause__ = of_s3("AccessDenied", "ListObjectsV2")
    assert storage_problem(wrapped) == (
        "no. The bucket's policy forbids to list: allow s3:ListBucket on the bucket, for this "
        "prefix."
    )
    assert storage_problem(DatasetError("no storage")) is None
    assert storage_problem(OSError("a disk")) is None
