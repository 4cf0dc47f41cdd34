"""The policy and settings in docs/aws.md: the policy allows what runs do, and no more."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.s3 import S3Server
from tests.support import faulty_proxy
from tests.support.project import ROOT, Project
from tests.support.services import use_environment
from tests.support.small_table import STRONG, make_table, production_of, weak

ARN = "arn:aws:s3:::example-mlops"
MODEL = "kinds"
ENV = "table"
QUICK = {"evaluation__resamples": 100, "evaluation__importance_repeats": 1}
ROLES = ("trainer", "publisher", "keeper", "scorer", "mlflow", "somebody")
ENTRY = f"production/{MODEL}/ledger/000001.json"
RELEASED = f"production/{MODEL}/releases/1/model/model.skops"
ONCE = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
PLAIN = {"s3:ObjectCreationOperation": "true"}


def blocks(language: str) -> list[str]:
    """The code blocks of a language in the document."""
    text = (ROOT / "docs/aws.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


STATEMENTS: list[dict[str, Any]] = json.loads(blocks("json")[0])["Statement"]


@dataclass(frozen=True)
class Asked:
    """What S3 looks at: an action on the bucket (key "") or an object, and the condition keys."""

    action: str
    key: str = ""
    context: dict[str, str] = field(default_factory=dict)


def allowed(role: str, asked: Asked) -> bool:
    """Whether the policy lets a role do it: some statement allows it, and none denies it."""
    effects = [each["Effect"] for each in STATEMENTS if concerns(each, role, asked)]
    return "Allow" in effects and "Deny" not in effects


def concerns(statement: dict[str, Any], role: str, asked: Asked) -> bool:
    """Whether a statement speaks of a role and what it asks."""
    principal = statement["Principal"]
    who = listed(principal if principal == "*" else principal["AWS"])
    where = f"{ARN}/{asked.key}" if asked.key else ARN
    return (
        any(fnmatchcase(f"arn:aws:iam::111122223333:role/{role}", each) for each in who)
        and any(fnmatchcase(f"s3:{asked.action}", each) for each in listed(statement["Action"]))
        and any(fnmatchcase(where, each) for each in listed(statement["Resource"]))
        and all(
            holds(operator, key, listed(values), {"aws:SecureTransport": "true", **asked.context})
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def holds(operator: str, key: str, values: list[str], context: dict[str, str]) -> bool:
    """Whether a condition holds; a key that a request lacks matches nothing."""
    if operator == "Null":
        return str(key not in context).lower() in values
    assert operator in ("StringLike", "Bool")
    return key in context and any(fnmatchcase(context[key], each) for each in values)


def listed(value: str | list[str]) -> list[str]:
    """One or many, as policies have it."""
    return [value] if isinstance(value, str) else value


def asked_by(method: str, address: str, if_none_match: str | None, body: bytes) -> list[Asked]:
    """The actions of a request, by what S3's documentation says of each operation."""
    parts = urlsplit(address)
    bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
    if not bucket and method == "HEAD":  # the doctor looks at the server's clock, without a key
        return []
    assert bucket, address
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not key:
        if method == "POST" and "delete" in query:
            return [
                Asked("DeleteObject", found) for found in re.findall("<Key>(.*?)<", body.decode())
            ]
        if method == "HEAD" or "location" in query:
            # Whether the bucket is there: s3fs asks HeadBucket, which would need the right to list
            # all of it, and where that is refused GetBucketLocation; one of the two has to do.
            return [Asked("GetBucketLocation")]
        assert (method, query.get("list-type")) == ("GET", "2"), address
        return [
            Asked("ListBucket", "", {"s3:prefix": query["prefix"]} if "prefix" in query else {})
        ]
    if method in ("GET", "HEAD"):
        assert not query.keys() & {"acl", "tagging", "attributes", "uploads"}, address
        return [Asked("GetObject", key)]
    if method == "DELETE":
        return [Asked("AbortMultipartUpload" if "uploadId" in query else "DeleteObject", key)]
    assert method == "PUT" or query.keys() & {"uploads", "uploadId"}, (method, address)
    part = "uploads" in query or "partNumber" in query
    context = {"s3:ObjectCreationOperation": str(not part).lower()}
    return [
        Asked(
            "PutObject",
            key,
            context | ({"s3:if-none-match": if_none_match} if if_none_match else {}),
        )
    ]


@contextmanager
def recorded(server: S3Server, environment: dict[str, str]) -> Iterator[list[Asked]]:
    """What is asked of S3 while the block runs, by the proxy that passes it on."""
    found: list[Asked] = []
    real = faulty_proxy._Handler._forward

    def note(handler: Any, body: bytes, mode: str | None) -> None:
        condition = handler.headers.get("If-None-Match")
        found.extend(asked_by(handler.command, handler.path, condition, body))
        real(handler, body, mode)

    with pytest.MonkeyPatch.context() as patch, faulty_proxy.faulty_proxy(server.endpoint) as proxy:
        patch.setattr(faulty_proxy._Handler, "_forward", note)
        variables = {**environment, "AWS_ENDPOINT_URL": proxy.endpoint}
        for _ in use_environment(patch, variables, None):
            yield found
    assert found


def set_up(project: Project, bucket: str) -> None:
    """conf/s3 for a table of its own and the database of this machine; conf/scorer as it says."""
    conf = project.path / "conf"
    text = (conf / "s3" / "globals.yml").read_text(encoding="utf-8")
    (conf / ENV).mkdir()
    (conf / ENV / "globals.yml").write_text(
        text.replace("model_name: iris", f"model_name: {MODEL}\ntarget: kind")
        .replace("source/iris.csv", "source/table")
        .replace("# inference_source", "inference_source"),
        encoding="utf-8",
    )
    # What a user edits: the two lines that the document names.
    scorer = conf / "scorer" / "globals.yml"
    text = scorer.read_text(encoding="utf-8")
    text = text.replace("model_name: iris", f"model_name: {MODEL}")
    scorer.write_text(text.replace("# inference_source", "inference_source"), encoding="utf-8")


@dataclass(frozen=True)
class Life:
    """What a publisher, a keeper and a scorer have asked of S3, one after the other."""

    publisher: list[Asked]
    keeper: list[Asked]
    scorer: list[Asked]


@pytest.fixture(scope="module")
def life(shared_project: Project, services: Instance, s3_server: S3Server) -> Life:
    """Two releases, a new batch with a monitor's look, a way back, a mended one; predictions."""
    project, bucket = shared_project, f"policy-{secrets.token_hex(4)}"
    s3_server.create_bucket(bucket)
    set_up(project, bucket)
    client = s3_server.client()

    def deliver(key: str, **options: Any) -> None:
        body = make_table(**options).to_csv(index=False).encode()
        client.put_object(Bucket=bucket, Key=key, Body=body)

    def command(*words: str) -> None:
        done = project.command(*words, "--env", ENV)
        assert done.exit_code == 0, done.output

    deliver("source/table/a.csv")
    deliver("inference/new.csv", rows=50, seed=2)
    variables = {**s3_server.environment(), "MLOPS_BUCKET": bucket}
    with recorded(s3_server, variables) as publisher:
        project.run(env=ENV, **weak(), **QUICK)
        project.run(env=ENV, **STRONG, **QUICK)
        assert production_of(project, env=ENV)[0].pointer().version == "2"
        command("rollback", "--reason", "a test")
        deliver("source/table/b.csv", rows=200, seed=1)
        command("ct")
        project.run("batch_inference", env=ENV)
        command("doctor")
        command("prune", "--keep", "1")
    client.put_object(Bucket=bucket, Key=RELEASED, Body=b"damaged")
    with recorded(s3_server, variables) as keeper:
        command("rollback", "--to", "1", "--reason", "damaged")
    variables = {**services.scorer_environment(), "MLOPS_BUCKET": bucket}
    with recorded(s3_server, variables | s3_server.environment()) as scorer:
        project.run("batch_inference", env="scorer")
        assert len(project.load("predictions", env="scorer")) == 50
    return Life(publisher, keeper, scorer)


def refused(role: str, asked: list[Asked]) -> set[tuple[str, str, str]]:
    """The requests that the policy refuses to a role."""
    return {(each.action, each.key, str(each.context)) for each in asked if not allowed(role, each)}


@pytest.mark.slow
def test_a_publisher_may_do_all_that_runs_and_commands_do(life: Life) -> None:
    """Each request is allowed, and the recorded requests cover the whole life."""
    assert refused("publisher", life.publisher) == set()
    actions = {(each.action, each.key.split("/")[0]) for each in life.publisher}
    assert actions >= {
        ("GetObject", "source"),
        ("GetObject", "inference"),
        ("GetObject", "production"),
        ("PutObject", "data"),
        ("PutObject", "production"),
        ("DeleteObject", "data"),
        ("DeleteObject", "production"),
        ("ListBucket", ""),
    }
    ledger = [each for each in life.publisher if "/ledger/" in each.key]
    assert {each.key[-11:] for each in ledger if each.action == "PutObject"} >= {
        "000001.json",
        "000002.json",
        "000003.json",
    }


@pytest.mark.slow
def test_a_scorer_may_do_all_that_batch_inference_does(life: Life) -> None:
    """A scorer may read releases and the data to be scored, and writes nothing."""
    assert refused("scorer", life.scorer) == set()
    assert {each.action for each in life.scorer} <= {"GetObject", "ListBucket"}
    read = {each.key for each in life.scorer if each.action == "GetObject"}
    assert any(key.startswith("inference/") for key in read)
    assert any(key.endswith("model.skops") for key in read)


@pytest.mark.slow
def test_a_keeper_mends_a_release_and_nobody_else_may(life: Life) -> None:
    """What was damaged is removed, and written again on the condition that there is none."""
    assert refused("keeper", life.keeper) == set()
    removed = [each.key for each in life.keeper if each.action == "DeleteObject"]
    assert removed == [RELEASED]
    assert not allowed("publisher", Asked("DeleteObject", RELEASED))
    written = [each for each in life.keeper if each.key == RELEASED and each.action == "PutObject"]
    assert [each.context for each in written] == [ONCE]


@pytest.mark.slow
def test_only_a_publisher_writes_what_is_written_in_production(life: Life) -> None:
    """Only a publisher writes in production, and it deletes only the doctor's probe there."""
    for role in ("trainer", "scorer"):
        writes = {
            each.key
            for each in life.publisher
            if each.action == "PutObject" and each.key.startswith("production/")
        }
        assert writes
        assert not [key for key in writes if allowed(role, Asked("PutObject", key))]
    removed = {each.key for each in life.publisher if each.action == "DeleteObject"}
    assert [key for key in removed if not key.startswith(("data/", "production/.doctor/"))] == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "key",
    [
        ENTRY,
        f"production/{MODEL}/challenges/3/000001.json",
        f"production/{MODEL}/current.json",
        "source/a.csv",
    ],
)
def test_no_role_removes_history_pointer_or_batches(role: str, key: str) -> None:
    """No role may delete them or their old versions."""
    for action in ("DeleteObject", "DeleteObjectVersion"):
        assert not allowed(role, Asked(action, key))


@pytest.mark.parametrize("role", ROLES)
def test_files_of_a_release_are_written_once(role: str) -> None:
    """No role overwrites one or removes an old version; a keeper alone removes one."""
    assert allowed(role, Asked("PutObject", RELEASED, ONCE)) == (role in ("publisher", "keeper"))
    assert not allowed(role, Asked("PutObject", RELEASED, PLAIN))
    assert not allowed(role, Asked("PutObject", RELEASED, PLAIN | {"s3:if-match": '"tag"'}))
    assert allowed(role, Asked("DeleteObject", RELEASED)) == (role == "keeper")
    assert not allowed(role, Asked("DeleteObjectVersion", RELEASED))


@pytest.mark.parametrize("role", ["trainer", "publisher", "scorer"])
def test_rights_of_their_own_do_not_help_to_remove_a_release(role: str) -> None:
    """A denial of the bucket is stronger than what a role is allowed elsewhere."""
    denials = [each for each in STATEMENTS if each["Effect"] == "Deny"]
    for action in ("DeleteObject", "DeleteObjectVersion"):
        assert any(concerns(each, role, Asked(action, RELEASED)) for each in denials)


def test_a_large_file_goes_in_parts() -> None:
    """Its parts take no condition; the request that completes it needs one."""
    address = f"http://s3/example-mlops/{RELEASED}"
    parts = [
        asked_by("POST", f"{address}?uploads=", None, b""),
        asked_by("PUT", f"{address}?partNumber=1&uploadId=u", None, b""),
        asked_by("POST", f"{address}?uploadId=u", "*", b""),
        asked_by("DELETE", f"{address}?uploadId=u", None, b""),
    ]
    assert all(allowed("publisher", asked) for part in parts for asked in part)
    [completed] = asked_by("POST", f"{address}?uploadId=u", None, b"")
    assert not allowed("publisher", completed)


@pytest.mark.parametrize("action", ["DeleteObject", "DeleteObjectVersion"])
def test_the_ledger_is_kept_from_administrators_too(action: str) -> None:
    """The bucket's denial also applies to administrators, whose own policies allow everything."""
    denials = [each for each in STATEMENTS if each["Effect"] == "Deny"]
    assert any(concerns(each, "administrator", Asked(action, ENTRY)) for each in denials)
    release = Asked(action, f"production/{MODEL}/releases/1/manifest.json")
    assert not any(concerns(each, "administrator", release) for each in denials)


def test_an_entry_is_written_on_the_condition_that_there_is_none() -> None:
    """An entry may be written only if it does not exist yet, so that none is overwritten."""
    for folder in ("ledger", "challenges/3", "runs"):
        entry = f"production/{MODEL}/{folder}/000001.json"
        assert allowed("publisher", Asked("PutObject", entry, ONCE))
        assert not allowed("publisher", Asked("PutObject", entry, PLAIN))
        assert not allowed("publisher", Asked("PutObject", entry, PLAIN | {"s3:if-match": '"t"'}))
        assert not allowed("trainer", Asked("PutObject", entry, ONCE))
        assert not allowed("keeper", Asked("DeleteObject", entry))


@pytest.mark.parametrize(
    "key", ["production/m/current.json", "data/m/x", "source/a", "inference/a"]
)
def test_a_scorer_writes_nowhere(key: str) -> None:
    """A scorer may neither write nor remove."""
    for action in ("PutObject", "DeleteObject"):
        assert not allowed("scorer", Asked(action, key))


def test_a_scorer_sees_no_training_data() -> None:
    """A scorer may neither read nor list training data."""
    for prefix in ("source", "data", "labels", "dvc", "mlflow"):
        assert not allowed("scorer", Asked("GetObject", f"{prefix}/a"))
        assert not allowed("scorer", Asked("ListBucket", "", {"s3:prefix": f"{prefix}/"}))
    assert not allowed("scorer", Asked("ListBucket"))


@pytest.mark.parametrize("prefix", ["source", "labels", "inference", "dvc", "data", "production"])
@pytest.mark.parametrize("role", ["trainer", "publisher"])
def test_trainers_and_publishers_read_all_default_folders(role: str, prefix: str) -> None:
    """They may read and list them, with and without a slash at the end."""
    assert allowed(role, Asked("GetObject", f"{prefix}/a"))
    for text in (prefix, f"{prefix}/", f"{prefix}/a/"):
        assert allowed(role, Asked("ListBucket", "", {"s3:prefix": text}))
    writes = prefix in ("dvc", "data") or (role, prefix) == ("publisher", "production")
    assert allowed(role, Asked("PutObject", f"{prefix}/a")) == writes
    assert allowed(role, Asked("DeleteObject", f"{prefix}/a")) == (prefix == "data")


def test_without_tls_nothing_is_allowed() -> None:
    """A request without TLS is denied."""
    plain = {"aws:SecureTransport": "false"}
    assert not allowed("publisher", Asked("GetObject", "data/a", plain))


def test_the_servers_settings_are_the_same_to_a_shell_and_to_systemd(tmp_path: Path) -> None:
    """Systemd's EnvironmentFile knows lines of NAME=value and whole lines of comment."""
    text = next(block for block in blocks("sh") if block.startswith("# /etc/mlflow.env"))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_]+=('[^']*'|[\w./]*)", line) for line in lines)
    by_systemd = {name: value.strip("'") for name, _, value in (x.partition("=") for x in lines)}
    file = tmp_path / "mlflow.env"
    file.write_text(text, encoding="utf-8")
    script = f"set -a; . {file}; env -0"
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, check=True)
    by_shell = dict(each.split("=", 1) for each in done.stdout.decode().split("\0") if each)
    assert by_systemd.items() <= by_shell.items()
    assert "&sslrootcert=" in by_shell["MLFLOW_BACKEND_STORE_URI"]
