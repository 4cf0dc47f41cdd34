"""Shared storage and servers that can be killed, and the project's commands against them."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil
import yaml

from mlops_basics.commands.services import Instance
from mlops_basics.commands.services.s3 import S3Server
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.processes import Ended
from tests.support.project import Project
from tests.support.small_table import STRONG, history_of, make_table, production_of

#: A dead server is given up in seconds; what the project does by itself is tested on its parts.
HASTY = {
    "AWS_MAX_ATTEMPTS": "2",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
}
ENV = "table"
QUICK = {"evaluation__resamples": 100, "evaluation__importance_repeats": 1}


def readable(ended: Ended, *words: str) -> None:
    """Assert that a command has failed with one readable error that contains these words."""
    assert ended.code == 1, str(ended)
    assert "Traceback" not in ended.out + ended.err, str(ended)
    # A warning about a lock or a claim that could not be released is no second error.
    assert len(re.findall(r"^Error: ", ended.err, re.MULTILINE)) == 1, str(ended)
    for word in words:
        assert re.search(word, ended.err), f"{word!r} is missing: {ended}"


@dataclass
class Trap(Fault):
    """Something happens when a request passes, which is then let through.

    Attributes:
        spring: What happens, once.
        passing: How many requests pass before that.
        lost: The request's answer is lost first, and the trap springs when it is repeated.
    """

    spring: Callable[[], None] = lambda: None
    passing: int = 0
    lost: bool = False
    sprung: bool = False

    def concerns(self, method: str, path: str) -> bool:
        """Whether this request's answer is lost."""
        if self.sprung or not super().concerns(method, path):
            return False
        if self.hits <= self.passing:
            return False
        if self.lost and self.hits == self.passing + 1:
            return True
        self.sprung = True
        self.spring()
        return False


@dataclass
class World:
    """A project, the three servers, and what the project's requests pass on their way to them."""

    project: Project
    own: Instance
    s3: FaultyProxy
    mlflow: FaultyProxy

    def environment(self) -> dict[str, str]:
        """The variables of a client that uses the proxies."""
        addresses = {
            "AWS_ENDPOINT_URL": self.s3.endpoint,
            "MLFLOW_TRACKING_URI": self.mlflow.endpoint,
        }
        return {**self.own.environment(), **addresses, **HASTY}

    def kill(self, server: str) -> None:
        """Kill a server and all of its processes with signal 9."""
        if server == "postgres":
            leader = psutil.Process(self.own.postgres.pid())
            family = [leader, *leader.children(recursive=True)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=10)
        else:
            leader = getattr(self.own, server).daemon.pid()
            assert leader is not None
            os.killpg(leader, signal.SIGKILL)


def objects(server: S3Server, bucket: str, prefix: str = "") -> dict[str, str]:
    """The tag of every object below a prefix."""
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def add_table(project: Project, server: S3Server, bucket: str) -> None:
    """An environment like conf/s3 of a table on which trees are far better than lines."""
    conf = project.path / "conf"
    shutil.copytree(conf / "s3", conf / ENV)
    path = conf / ENV / "globals.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values |= {"source": "${_bucket}/table", "target": "kind"}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    parameters = "evaluation: {resamples: 100, importance_repeats: 1}\n"
    (conf / ENV / "parameters.yml").write_text(parameters, encoding="utf-8")
    table = make_table().to_csv(index=False).encode()
    server.client().put_object(Bucket=bucket, Key="table/a.csv", Body=table)


def strong(model_name: str) -> str:
    """Parameters of the better model, as the command line takes them."""
    values = {"model_name": model_name}
    values |= {name.replace("__", "."): value for name, value in STRONG.items()}
    return ",".join(f"{name}={value}" for name, value in values.items())


def released(project: Project, model_name: str, *versions: str) -> None:
    """Assert that these versions were released one after the other, nothing else, and all hold."""
    store, registry = production_of(project, ENV, model_name=model_name)
    assert registry.versions() == list(versions)
    assert store.versions() == list(versions)
    assert registry.champion() == store.pointer().version == versions[-1]
    before = [None, *versions[:-1]]
    steps = [("release", new, old) for new, old in zip(versions, before, strict=True)]
    assert history_of(store) == steps
    for version in versions:
        store.verify(version)
    assert store.load().manifest.version == versions[-1]
