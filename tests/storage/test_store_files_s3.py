"""Tests of a store on a real S3 server: conditions, faults and messages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mlops_basics.errors import StorageError
from mlops_basics.storage import s3_file_system
from mlops_basics.storage.store_files import StoreFiles
from tests.support.s3_bucket import HASTY, Bucket

pytestmark = pytest.mark.slow  # an S3 server


def test_files_are_written_listed_and_removed(bucket, tmp_path):
    """Files work as on a disk, and another process's files are seen at once."""
    files, other = bucket.files(), bucket.files(skip_instance_cache=True)
    assert (files.read("a"), files.names(""), files.sizes("")) == (None, [], {})
    files.write("folder/a", b"one")
    (tmp_path / "b").write_bytes(b"three")
    files.upload(tmp_path / "b", "folder/b")
    assert files.sizes("folder") == {"a": 3, "b": 5}
    other.write("folder/c", b"")
    assert files.names("folder") == ["a", "b", "c"]
    assert files.read("folder/b") == b"three"
    files.remove("folder/a")
    files.remove("folder/a")
    assert other.names("folder") == ["b", "c"]


def test_a_large_file_survives_the_way(bucket, tmp_path):
    """More than one part up, and one GET down."""
    content = bytes(range(256)) * 480_000  # 123 MB
    (tmp_path / "large").write_bytes(content)
    bucket.files().upload(tmp_path / "large", "large")
    assert bucket.files().read("large") == content


def race(bucket: Bucket, act):
    """Let eight act at once, each with its own connection; returns each one's result."""
    files = bucket.files(config_kwargs={"max_pool_connections": 8})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: files.read("connect"), range(8)))
        return list(pool.map(lambda i: act(files, i), range(8)))


@pytest.mark.parametrize("before", [None, b"old"])
def test_of_eight_that_replace_one_wins(bucket, before):
    """One of eight wins, with or without an existing file, and its content is stored."""
    files = bucket.files()
    for round_ in range(2):  # the server lets losers wait for seconds
        path = f"pointer-{round_}"
        if before:
            files.write(path, before)
        won = race(bucket, lambda own, i, p=path: own.replace_if(p, f"{i}".encode(), before))
        assert sum(won) == 1
        assert files.read(path) == f"{won.index(True)}".encode()


def test_of_eight_that_create_one_wins(bucket):
    """One of eight wins, also when all write the same content."""
    for round_ in range(2):  # the server lets losers wait for seconds
        won = race(bucket, lambda own, _, p=f"entry-{round_}": own.create(p, b"same"))
        assert sum(won) == 1


def test_replace_if_compares_what_is_there(bucket):
    """Another content, or none, or one too many is no match; nothing is written."""
    files = bucket.files()
    assert not files.replace_if("a", b"new", b"old")
    assert files.read("a") is None
    files.write("a", b"old")
    assert not files.replace_if("a", b"new", None)
    assert not files.replace_if("a", b"new", b"other")
    assert files.read("a") == b"old"
    assert files.replace_if("a", b"new", b"old")
    assert files.read("a") == b"new"


def test_a_write_between_the_comparison_and_the_put_is_not_overwritten(bucket, monkeypatch):
    """The condition is the server's, not ours."""
    files = bucket.files()
    files.write("a", b"old")
    read = StoreFiles.read

    def overtaken(self, path):
        content = read(self, path)
        monkeypatch.undo()
        bucket.files().write("a", b"theirs")
        return content

    monkeypatch.setattr(StoreFiles, "read", overtaken)
    assert not files.replace_if("a", b"mine", b"old")
    assert files.read("a") == b"theirs"


@pytest.mark.parametrize("method", ["replace_if", "create"])
def test_a_lost_answer_does_not_turn_a_win_into_a_defeat(bucket, proxy, method):
    """The request is repeated and meets its own object."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    with proxy.breaking("lose", "PUT", "/a", times=1) as fault:
        won = files.create("a", b"1") if method == "create" else files.replace_if("a", b"1", None)
    assert (won, fault.hits) == (True, 1)
    with proxy.breaking("lose", "PUT", "/a", times=1):
        assert files.replace_if("a", b"2", b"1")
    assert bucket.files().read("a") == b"2"
    assert not files.create("a", b"3")


@pytest.mark.parametrize("mode", ["stall", "reset", "500", "503", "lose"])
@pytest.mark.parametrize("action", ["read", "list", "write", "replace"])
def test_a_short_fault_is_survived(bucket, proxy, mode, action):
    """Two broken requests, then it works, and the result is right."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    bucket.files().write("a", b"old")
    with proxy.breaking(mode, times=2) as fault:
        if action == "read":
            assert files.read("a") == b"old"
        elif action == "list":
            assert files.names("") == ["a"]
        elif action == "write":
            files.write("a", b"new")
        else:
            assert files.replace_if("a", b"new", b"old")
    assert fault.hits == 2
    if action in ("write", "replace"):
        assert bucket.files().read("a") == b"new"


def test_a_truncated_body_is_read_again(bucket, proxy):
    """A truncated answer is read again, so that no partial file is returned."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    bucket.files().write("a", b"0123456789" * 1000)
    with proxy.breaking("truncate", "GET", times=1) as fault:
        assert files.read("a") == b"0123456789" * 1000
    assert fault.hits == 1


@pytest.mark.parametrize("mode", ["stall", "reset", "500", "503", "truncate"])
def test_a_lasting_fault_is_one_error_after_a_bounded_number_of_tries(bucket, proxy, mode):
    """The message names the file and what to do; the number of requests is the documented one."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    bucket.files().write("a", b"0123456789")
    tries = s3_file_system.S3FileSystem.retries * HASTY["retries"]["total_max_attempts"]
    read = pytest.raises(StorageError, match=r"Cannot read s3://.*/store/a: .*Check that")
    with proxy.breaking(mode, "GET", "/a"), proxy.counting() as requests, read as caught:
        files.read("a")
    assert 2 <= len(requests) <= s3_file_system.S3FileSystem.retries * tries
    assert len(str(caught.value).splitlines()) == 1
    if mode == "truncate":
        return
    written = pytest.raises(StorageError, match=r"Cannot write s3://.*/a: .*production is valid")
    with proxy.breaking(mode, "PUT", "/a"), proxy.counting() as requests, written:
        files.write("a", b"new")
    assert 2 <= len(requests) <= tries
    assert bucket.files().read("a") == b"0123456789"


@pytest.mark.parametrize(("variable", "attempts"), [(None, s3_file_system.ATTEMPTS), ("2", 2)])
def test_the_variable_of_aws_says_how_often(bucket, proxy, monkeypatch, variable, attempts):
    """AWS_MAX_ATTEMPTS sets the number of attempts, as for any AWS client."""
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    if variable:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", variable)
    fs = bucket.through(proxy.endpoint).fs(skip_instance_cache=True)
    assert fs.config_kwargs["read_timeout"] == s3_file_system.CONFIG["read_timeout"]
    fs.retries = 1
    faulty = proxy.breaking("503", "PUT", "/a")
    with faulty, proxy.counting() as requests, pytest.raises(OSError, match="trouble"):
        fs.pipe_file(f"{bucket.name}/a", b"new")
    assert len(requests) == attempts


def test_a_changed_bit_on_the_way_is_noticed(bucket, proxy):
    """The checksum that S3 keeps with the object detects it."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    files.write("a", b"0123456789")
    with proxy.breaking("corrupt", "GET", "/a"), pytest.raises(StorageError, match="Cannot read"):
        files.read("a")


def test_a_server_that_is_down_is_reported(bucket):
    """A server that is down gives one readable error."""
    files = bucket.through("http://127.0.0.1:9").files(config_kwargs=HASTY)
    with pytest.raises(StorageError, match=r"Could not connect.*AWS_ENDPOINT_URL"):
        files.read("a")


def actions_on(files: StoreFiles):
    """What needs credentials: reading, listing, writing."""
    return (
        lambda: files.read("a"),
        lambda: files.names(""),
        lambda: files.sizes(""),
        lambda: files.write("a", b""),
        lambda: files.create("a", b""),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": "wrong"}, "does not know these credentials"),
        ({"key": "nobody"}, "does not know these credentials"),
    ],
)
def test_wrong_credentials(bucket, changes, words):
    """Reading, listing and writing say so; neither key nor secret is in the message."""
    for act in actions_on(bucket.files(**changes)):
        with pytest.raises(StorageError, match=words) as caught:
            act()
        for hidden in (bucket.secret, "wrong", "nobody"):
            assert hidden not in str(caught.value)


def test_no_credentials(bucket, monkeypatch, tmp_path):
    """Credentials in neither catalog nor environment give a readable error."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    files = StoreFiles(f"{bucket.root}/store", {"endpoint_url": bucket.endpoint})
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID"):
        files.read("a")


def test_expired_credentials(bucket, proxy):
    """Expired credentials are an error for each kind of request, without retries."""
    files = bucket.through(proxy.endpoint).files(config_kwargs=HASTY)
    for act in (
        *actions_on(files),
        lambda: files.replace_if("a", b"", None),
        lambda: files.lock().__enter__(),
    ):
        expired = pytest.raises(StorageError, match="have expired: get new ones")
        with proxy.breaking("expired"), proxy.counting() as requests, expired:
            act()
        assert len(requests) <= 3  # HEAD does not say why, and botocore asks for the region, too
    assert bucket.files().names("") == []


def test_a_bucket_that_is_gone_is_no_empty_store(bucket):
    """Nothing in production and no bucket are two different things."""
    files = StoreFiles("s3://no-such-bucket-here/store", bucket.credentials())
    for act in (
        lambda: files.read("a"),
        lambda: files.names("releases"),
        lambda: files.sizes("releases"),
        lambda: files.write("a", b""),
        lambda: files.create("a", b""),
        lambda: files.replace_if("a", b"", None),
    ):
        with pytest.raises(StorageError, match="The bucket is gone or was never made"):
            act()


def test_a_policy_that_forbids_to_list_is_named(bucket):
    """The error names the missing right; reading and writing still work."""
    bucket.forbid("s3:ListBucket")
    files = bucket.files()
    files.write("a", b"1")
    assert files.read("a") == b"1"
    for act in (lambda: files.names("releases"), lambda: files.sizes("releases")):
        with pytest.raises(StorageError, match=r"Cannot list s3://.*s3:ListBucket"):
            act()


def test_a_policy_that_forbids_to_write_is_named(bucket):
    """A scorer can read, and the error says why it cannot publish."""
    bucket.files().write("a", b"1")
    bucket.forbid("s3:PutObject", "s3:DeleteObject", prefix="store/")
    files = bucket.files()
    assert (files.read("a"), files.names("")) == (b"1", ["a"])
    for act in (
        lambda: files.write("a", b"2"),
        lambda: files.create("b", b"2"),
        lambda: files.replace_if("a", b"2", b"1"),
        lambda: files.lock().__enter__(),
        lambda: files.remove("a"),
    ):
        with pytest.raises(StorageError, match=r"read-only for you: allow s3:PutObject"):
            act()
    assert files.read("a") == b"1"


def test_a_policy_that_forbids_to_read_is_named(bucket):
    """S3 answers the same to a missing file where listing is forbidden."""
    bucket.files().write("a", b"1")
    bucket.forbid("s3:GetObject")
    with pytest.raises(StorageError, match="allow s3:GetObject on the prefix and s3:ListBucket"):
        bucket.files().read("a")


def test_a_small_file_has_a_bound(bucket):
    """No more of a larger one is read than shows that it is; an empty one is empty."""
    files = bucket.files()
    files.write("a", b"0123456789")
    files.write("empty", b"")
    assert (files.read("a", 10), files.read("empty", 10), files.read("b", 10)) == (
        b"0123456789",
        b"",
        None,
    )
    with pytest.raises(StorageError, match=r"Cannot read .*/a: it has over 9 bytes, more than"):
        files.read("a", 9)


def test_a_file_that_is_there_is_not_uploaded_over(bucket, tmp_path):
    """Neither in one request nor in parts."""
    files = bucket.files()
    for size in (10, 17 * 2**20):
        for content, written in ((b"a", True), (b"b", False)):
            (tmp_path / "x").write_bytes(content * size)
            assert files.upload(tmp_path / "x", f"r/{size}") is written
        assert files.read(f"r/{size}") == b"a" * size
