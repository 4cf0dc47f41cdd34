"""Files that are whole or not there, on a disk and on S3."""
