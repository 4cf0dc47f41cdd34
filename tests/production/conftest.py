"""Fitted pipelines, buckets of a real S3 server, challengers, and small real releases."""

from tests.support.challengers import database, workshop  # noqa: F401 (fixtures)
from tests.support.fitted import pipeline, table, trusted  # noqa: F401 (fixtures)
from tests.support.releases import folder, quick_checks, root, small  # noqa: F401 (fixtures)
from tests.support.s3_bucket import bucket, proxy  # noqa: F401 (fixtures)
