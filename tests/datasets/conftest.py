"""Fitted pipelines, buckets of a real S3 server, and challengers in a real MLflow store."""

from tests.support.challengers import database, store, workshop  # noqa: F401 (fixtures)
from tests.support.fitted import pipeline, table, trusted  # noqa: F401 (fixtures)
from tests.support.s3_bucket import bucket, proxy  # noqa: F401 (fixtures)
