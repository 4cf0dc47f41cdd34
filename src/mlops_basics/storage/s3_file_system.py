"""S3 as every part of the project opens it: nothing stale, patient within limits."""

from __future__ import annotations

import os
import time
from typing import Any

import s3fs
from fsspec.asyn import sync_wrapper

#: Of botocore.
CONFIG: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "read_timeout": 10,  # seconds without a byte
}
#: It repeats stalls, resets, 500, 503 and refused connections, waiting longer each time (up to
#: 1, 2, 4, 8 seconds, by chance). AWS_MAX_ATTEMPTS says another number, as to any client of AWS.
ATTEMPTS = 5

_KEYS = ("key", "secret", "token", "username", "password", "session")
_KEYS_OF_CLIENT = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")

#: Seconds for which a file that was just listed is believed to exist.
_BELIEVED = 5.0


class S3FileSystem(s3fs.S3FileSystem):  # type: ignore[misc] # s3fs has no types
    """``s3://`` for StoreFiles, our datasets and Kedro's alike; fsspec's registry names it.

    - Listings are not kept: another process may have written since.
    - What fails is repeated a bounded number of times: botocore repeats requests, s3fs what
      breaks while a body is read.
    - Kedro's look-up of the latest version lists all versions at once (1,000 files a request),
      where s3fs asks for each version's folder and once more for each file.
    - Pickled for another process, it holds no key: that process has its own, as a worker of a Dask
      cluster should, or none.

    ``config_kwargs`` in the catalog's ``credentials`` or ``fs_args`` change values of ``CONFIG``.
    """

    # s3fs repeats what botocore gave up, so that both numbers multiply: a server that accepts
    # connections and never answers is given up after 2 * 5 (writing) or 2 * 2 * 5 (reading)
    # read time-outs.
    retries = 2

    def __init__(
        self, *args: Any, config_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """
        Args:
            args: Arguments of ``s3fs.S3FileSystem``.
            config_kwargs: Arguments of botocore's ``Config`` beside ``CONFIG``.
            kwargs: Arguments of ``s3fs.S3FileSystem``.
        """
        kwargs.setdefault("use_listings_cache", False)
        config = {**CONFIG, "retries": _retries(), **(config_kwargs or {})}
        super().__init__(*args, config_kwargs=config, **kwargs)
        self._listed: dict[str, float] = {}

    async def _glob(self, path: str, **kwargs: Any) -> Any:
        folder, star, name = str(path).rpartition("/*/")
        if not star or kwargs or any(sign in folder + name for sign in "*?["):
            return await super()._glob(path, **kwargs)
        base = str(self._strip_protocol(folder))
        parts = (file.removeprefix(f"{base}/").split("/") for file in await self._find(base))
        found = sorted({f"{base}/{p[0]}/{name}" for p in parts if p[1:2] == [name]})
        self._listed = dict.fromkeys(found, time.monotonic())
        return found

    async def _exists(self, path: str) -> bool:
        listed = self._listed.get(str(self._strip_protocol(path)))
        if listed is not None and time.monotonic() - listed < _BELIEVED:
            return True
        return bool(await super()._exists(path))

    exists = sync_wrapper(_exists)

    def __reduce__(self) -> tuple[Any, ...]:
        client = self.storage_options.get("client_kwargs") or {}
        kept = {name: value for name, value in self.storage_options.items() if name not in _KEYS}
        if client:
            kept["client_kwargs"] = {
                name: value for name, value in client.items() if name not in _KEYS_OF_CLIENT
            }
        return _opened, (type(self), kept)

    def __copy__(self) -> S3FileSystem:  # in this process nothing is withheld
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> S3FileSystem:
        return self

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget listings; s3fs calls it after each change that goes through this object."""
        self._listed.clear()
        super().invalidate_cache(path)


def _opened(kind: type[S3FileSystem], options: dict[str, Any]) -> S3FileSystem:
    return kind(**options)


def _retries() -> dict[str, Any]:
    mode = {"mode": "standard"}
    return mode if "AWS_MAX_ATTEMPTS" in os.environ else {**mode, "total_max_attempts": ATTEMPTS}
