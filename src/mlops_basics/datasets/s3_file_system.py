"""S3 as every part of the project opens it: nothing stale, patient within limits."""

from __future__ import annotations

from typing import Any

import s3fs

#: Of botocore: it repeats stalls, resets, 500, 503 and refused connections, waiting longer each
#: time (up to 1, 2, 4 seconds, by chance).
CONFIG: dict[str, Any] = {
    "connect_timeout": 5,  # seconds
    "read_timeout": 10,  # seconds without a byte
    "retries": {"mode": "standard", "total_max_attempts": 4},
}


class S3FileSystem(s3fs.S3FileSystem):  # type: ignore[misc] # s3fs has no types
    """``s3://`` for StoreFiles, our datasets and Kedro's alike; fsspec's registry names it.

    - Listings are not kept: another process may have written since.
    - What fails is repeated a bounded number of times: botocore repeats requests, s3fs what
      breaks while a body is read. ``config_kwargs`` of the catalog's ``credentials`` or
      ``fs_args`` change single values of ``CONFIG``.
    """

    # s3fs repeats what botocore gave up, so that both numbers multiply: a server that accepts
    # connections and never answers is given up after 2 * 4 (writing) or 2 * 2 * 4 (reading)
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
        super().__init__(*args, config_kwargs={**CONFIG, **(config_kwargs or {})}, **kwargs)
