"""S3, PostgreSQL and an MLflow server on this machine, for development and tests only.

Everything of one instance lies in one folder, so that every test session can have its own. The
servers listen on loopback, without TLS and without a backup; docs/aws.md has the real thing.
"""

from .command import serve_locally
from .instance import Instance

__all__ = ["Instance", "serve_locally"]
