"""Writing S3 objects on a condition, and finding the newest of many versions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from mlops_basics.storage.faults import error_code

#: Answers to a condition that does not hold: changed, there already, gone, or being written.
_LOST = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")
#: Of these, those that say that the object is there, or is being written.
_THERE = _LOST[:4]
_PART = 8 * 2**20  # bytes of a part of a large file; as boto3 does, many are on their way at once
_WRITER = "writer"
#: A Kedro version is 2026-01-31T23.59.59.999Z: so many pages find the last of any number.
_PARTS = ("-", "-", "T", "/")


@dataclass(frozen=True)
class Seen:
    """An object as it was at one moment.

    Attributes:
        tag: Changes with the content.
        age: Seconds since it was written, by the server's clock alone.
        metadata: The metadata that its writer stored.
    """

    tag: str
    age: float
    metadata: Mapping[str, str]


def endpoint_of(address: str) -> str:
    """The HTTP address of the server behind an ``s3://`` address, as it is configured."""
    fs, _ = url_to_fs(address)
    fs.connect()
    return str(fs.s3.meta.endpoint_url)


def is_s3(fs: Any) -> bool:
    """Whether a file system is S3, without importing s3fs."""
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def look(fs: Any, path: str) -> Seen | None:
    """The object at a path, None where there is none; one request."""
    bucket, key, _ = fs.split_path(path)
    try:
        head = fs.call_s3("head_object", Bucket=bucket, Key=key)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error_code(error) == "400":
            # An answer to HEAD has no body that says why, as for expired credentials; this has.
            fs.call_s3("get_object", Bucket=bucket, Key=key, Range="bytes=0-0")
        raise
    now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
    age = (now - head["LastModified"]).total_seconds()
    return Seen(head["ETag"], age, head.get("Metadata", {}))


def put_if(
    fs: Any, path: str, content: bytes, tag: str | None, metadata: Mapping[str, str] | None = None
) -> str | None:
    """Write an object if it still is the one that was seen; of several writers one wins.

    Args:
        fs: The file system.
        path: The object, with its bucket.
        content: What to write.
        tag: Tag of the object that is to be replaced; None: there must be none.
        metadata: Metadata to store with it.

    Returns:
        The new tag, or None if another process was faster.
    """
    bucket, key, _ = fs.split_path(path)
    condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
    writer = secrets.token_hex(8)
    try:
        answer = fs.call_s3(
            "put_object",
            Bucket=bucket,
            Key=key,
            Body=content,
            Metadata={**(metadata or {}), _WRITER: writer},
            **condition,
        )
    except OSError as error:
        if error_code(error) not in _LOST:
            raise
        # The answer to a first try may have been lost on the way, and the second try have met
        # the first one's object.
        seen = look(fs, path)
        return seen.tag if seen and seen.metadata.get(_WRITER) == writer else None
    return str(answer["ETag"])


def put_file_if_absent(fs: Any, source: Path, path: str) -> bool:
    """Write an object that must not exist yet, a large one in parts; False if it does.

    After a lost answer the object that is there may be this one: compare it.

    Args:
        fs: The file system.
        source: The local file.
        path: The object, with its bucket.
    """
    try:
        fs.put_file(str(source), path, mode="create", chunksize=_PART)
    except OSError as error:
        if isinstance(error, FileExistsError) or error_code(error) in _THERE:
            return False
        raise
    return True


def newest_version(fs: Any, folder: str, name: str) -> str | None:
    """The last version below a folder by name, None if there is none.

    Kedro's own look-up costs two requests a version; this one costs two for up to 1,000 versions
    and seven for any number, as long as none of them was removed a moment ago.

    Args:
        fs: The file system.
        folder: Folder of the versions, with its bucket.
        name: Name of the file in each version's folder.
    """
    bucket, key, _ = fs.split_path(folder)
    base = f"{key.rstrip('/')}/"

    def versions(prefix: str, delimiter: str) -> Iterator[list[str]]:
        for paths in _pages(fs, bucket, f"{base}{prefix}", delimiter):
            yield [path.removeprefix(base) for path in paths]

    def newest_of(paths: list[str]) -> str | None:
        names = sorted({path.split("/")[0] for path in paths}, reverse=True)
        # An emptied folder stays listed for a moment.
        return next((version for version in names if fs.exists(f"{folder}/{version}/{name}")), None)

    pages = versions("", "/")
    first, more = next(pages), next(pages, None)
    if more is None:
        return newest_of(first)
    prefix, paths = "", first
    for delimiter in _PARTS:
        paths = [path for page in versions(prefix, delimiter) for path in page]
        prefix = max(paths, default="")
        if not prefix.endswith(delimiter):  # a name of another form
            break
    newest = newest_of(paths)
    if newest is None:  # what was listed is removed already
        newest = newest_of([*first, *more, *(path for page in pages for path in page)])
    return newest


def _pages(fs: Any, bucket: str, prefix: str, delimiter: str) -> Iterator[list[str]]:
    """Keys and common prefixes below a prefix, up to 1,000 a page."""
    token: dict[str, str] = {}
    while True:
        page = fs.call_s3(
            "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter=delimiter, **token
        )
        prefixes = [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        yield prefixes + [item["Key"] for item in page.get("Contents", [])]
        if not page.get("IsTruncated"):
            return
        token = {"ContinuationToken": page["NextContinuationToken"]}
