"""What goes wrong with storage, in one readable line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mlops_basics.errors import StorageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # space, a quota, a limit on a file's size
_STRANGE = {  # what a store does not make
    errno.ELOOP: "Remove the link, and put back what belongs there; nothing behind it was touched.",
    errno.ENXIO: "Remove it, and put back what belongs there.",
    errno.EOVERFLOW: "Put back what belongs there, from a backup.",
}
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
#: Packages below s3fs whose errors come through as they are.
_CLIENTS = ("botocore", "aiobotocore", "aiohttp", "urllib3", "fsspec", "s3fs")
_UNKNOWN_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed")
_EXPIRED_KEY = ("ExpiredToken", "TokenRefreshRequired", "InvalidToken")
_DENIED = ("AccessDenied", "AllAccessDisabled", "403", "Forbidden")


@contextmanager
def readable_faults(action: str, path: str) -> Iterator[None]:
    """Turn faults of the file system into one readable error.

    Args:
        action: "read", "list", "write" or "remove".
        path: What it was done to, as users know it.

    Raises:
        StorageError: For every fault of a disk, an object store or the way to it.
    """
    try:
        yield
    except Exception as error:
        if not is_storage_fault(error):
            raise
        reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
        raise StorageError(
            f"Cannot {action} {path}: {reason.rstrip('.')}. {_remedy(error, action)}"
        ) from error


def is_storage_fault(error: BaseException) -> bool:
    """Whether an error is one of a disk, an object store or the way to it."""
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in _CLIENTS


def is_denied(error: BaseException) -> bool:
    """Whether rights are what an error of ``readable_faults`` is about, on a disk or on S3."""
    cause = error.__cause__
    return isinstance(cause, PermissionError) or getattr(cause, "errno", None) == errno.EROFS


def storage_problem(error: BaseException) -> str | None:
    """What an object store or a full disk objected to, wherever it sits in an error's chain.

    For errors of Kedro's own data sets, which are wrapped and say little. None: it was neither.
    """
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) in _FULL:
            where = str(error).strip().splitlines()[0] if seen is not error else ""
            return f"{where} {seen}. {_remedy(seen, 'write')}".strip()
        if error_code(seen) or _is_client_error(seen):
            return f"{str(seen).rstrip('.')}. {_remedy(seen, _action_of(seen))}"
        seen = seen.__cause__ or seen.__context__
    return None


def error_code(error: BaseException) -> str:
    """S3's code of an error, such as "NoSuchBucket"; "" if it is none of S3."""
    for seen in (error, error.__cause__):
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _is_client_error(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in _CLIENTS


def _action_of(error: BaseException) -> str:
    """What was tried, from the name of S3's operation."""
    source = error if hasattr(error, "operation_name") else error.__cause__
    operation = str(getattr(source, "operation_name", ""))
    if operation.startswith("List"):
        return "list"
    return "read" if operation.startswith(("Get", "Head")) else "write"


def _remedy(error: BaseException, action: str) -> str:
    code = error_code(error)
    if code or _is_client_error(error):
        return _remedy_of_s3(error, code, action)
    number = getattr(error, "errno", None)
    if number in _STRANGE:
        return _STRANGE[number]
    if isinstance(error, FileExistsError) and action == "write":
        return "A file stands where a folder should be: move it away."
    if number in _FULL:
        return "The disk is full: free some space, then run again. Production is unchanged."
    if number in _FORBIDDEN or isinstance(error, PermissionError):
        return (
            "It is read-only for you: correct the rights, or `storage` and `production` in "
            "globals.yml, then run again. Production is unchanged."
        )
    return "Check that the storage can be reached, then run again."


_REMEDIES = {
    "RequestTimeTooSkewed": "The clock of this machine is wrong: set it, then run again.",
    "NoSuchBucket": "The bucket is gone or was never made: make it, or correct `storage`, "
    "`production` and `source` in globals.yml.",
    # The answer to a HEAD request, which has no body that says why.
    "400": "S3 does not say why to a request of this kind: most often the credentials have expired "
    "(get new ones), or AWS_DEFAULT_REGION is not the bucket's. Then run again.",
}


def _remedy_of_s3(error: BaseException, code: str, action: str) -> str:
    name = type(error).__name__
    if code in _UNKNOWN_KEY or "Credential" in name:
        return (
            "The storage does not know these credentials: correct AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or conf/local/credentials.yml."
        )
    if code in _EXPIRED_KEY:
        return "The credentials have expired: get new ones, then run again."
    if code in _DENIED:
        return _remedy_of_denial(action)
    if code in _REMEDIES:
        return _REMEDIES[code]
    return (
        "It was tried several times. Check that the storage runs and can be reached "
        "(AWS_ENDPOINT_URL, network), then run again. What is in production is valid."
    )


def _remedy_of_denial(action: str) -> str:
    if action == "list":
        return (
            "The bucket's policy forbids to list: allow s3:ListBucket on the bucket, for this "
            "prefix."
        )
    if action == "read":
        return (
            "You may not read it, or it does not exist and you may not list (S3 answers the same "
            "to both): allow s3:GetObject on the prefix and s3:ListBucket on the bucket. "
            "Wrong credentials are answered so, too."
        )
    return (
        "It is read-only for you: allow s3:PutObject on the prefix (to remove: s3:DeleteObject), "
        "or correct `storage` and `production` in globals.yml. Production is unchanged."
    )
