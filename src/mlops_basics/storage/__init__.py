"""Files that are whole or not there, on a disk and on S3."""

from fsspec import register_implementation

# Here, since every door of the project passes it before anything is opened: fsspec keeps the class
# that it met first. By name, so that s3fs is imported only when something is on S3. Kedro's own
# datasets and pandas open s3:// through fsspec's registry: time-outs, retries and fresh listings
# are theirs, too.
for _protocol in ("s3", "s3a"):
    register_implementation(
        _protocol, "mlops_basics.storage.s3_file_system.S3FileSystem", clobber=True
    )
