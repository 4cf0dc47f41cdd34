"""A bucket for the tests of whole runs on S3."""

from tests.support.s3_bucket import bucket  # noqa: F401 (a fixture)
