"""Fitted pipelines, and buckets of a real S3 server."""

from tests.support.fitted import pipeline, table, trusted  # noqa: F401 (fixtures)
from tests.support.s3_bucket import bucket, proxy  # noqa: F401 (fixtures)
