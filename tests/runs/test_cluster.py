"""Tests of the cluster of a run: what is refused before anything is sent there."""

from __future__ import annotations

import copy
import re

import pytest

from mlops_basics.errors import ClusterError, ConfigurationError
from mlops_basics.runs import cluster as opening
from mlops_basics.runs.cluster import open_cluster
from mlops_basics.table.engine import map_parts
from tests.support.dask_cluster import threads

TLS = {"scheduler-address": "tls://127.0.0.1:1", "distributed": {"comm": {"tls": {}}}}


@pytest.fixture(scope="module")
def address():
    """Of a cluster in threads of this process."""
    with threads() as made:
        yield made.scheduler_address


def refused(given, kind=ConfigurationError, project_path=None) -> str:
    """What is said of a configuration."""
    with pytest.raises(kind) as error, open_cluster(given, project_path):
        pass
    return str(error.value)


def test_a_cluster_is_worked_on_while_it_is_open(address, tmp_path):
    """Dask's settings are those of before afterwards."""
    import dask

    of_workers = {"pre-spawn-environ": {"ANY_NAME": 1}}
    settings = {"comm": {"timeouts": {"tcp": "7s"}}, "nanny": of_workers}
    given = {"scheduler-address": address, "distributed": settings}
    before = copy.deepcopy(dask.config.config)
    with open_cluster(given, tmp_path):
        assert dask.config.get("distributed.comm.timeouts.tcp") == "7s"
        assert list(map_parts(abs, [-1, 2])) == [1, 2]
    assert dask.config.config == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distributed": {"comm": {"require-encryption": True}}}, "names no scheduler"),
        ({"scheduler-address": "nonsense"}, "missing port number .* Write tls://HOST:8786"),
        (
            TLS | {"distributed": {"comm": {"require_encription": True}}},
            "no option 'distributed.comm.require_encription'.* Did you mean 'distributed.comm.req",
        ),
        (TLS | {"distributed": "x"}, "no option 'distributed', to which"),
        (TLS, "distributed.comm.tls.ca-file of dask.yml is not named"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(given, message, tmp_path, monkeypatch):
    """With the option and the remedy."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    assert re.search(message, refused(given, project_path=tmp_path))


@pytest.mark.parametrize("address", ["tcp://192.0.2.7:8786", "192.0.2.7:8786", "tcp://far:8786"])
def test_nothing_is_sent_to_another_machine_in_plain_text(address, tmp_path, monkeypatch):
    """Keys of the storage go with the tables; Dask's own option allows it nevertheless."""
    given = {"scheduler-address": address}
    assert "not encrypted" in refused(given, project_path=tmp_path)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)  # variables win
    assert "not encrypted" in refused(
        {"scheduler-address": "tcp://127.0.0.1:1"}, project_path=tmp_path
    )
    asked = []
    monkeypatch.setattr("distributed.Client", lambda *given, **_: asked.append(given) or 1 / 0)
    allowed = given | {"distributed": {"comm": {"require-encryption": False}}}
    assert "cannot be reached" in refused(allowed, ClusterError, tmp_path)
    assert asked == [(address,)]


def test_certificates_lie_below_the_project(tmp_path):
    """A missing one is named by its whole path."""
    files = {"ca-file": "cert.pem", "client": {"cert": "cert.pem", "key": "key.pem"}}
    given = TLS | {"distributed": {"comm": {"tls": files}}}
    (tmp_path / "cert.pem").write_text("no certificate")
    said = refused(given, project_path=tmp_path)
    assert f"client.key of dask.yml is not there: {tmp_path}/key.pem" in said


def test_a_scheduler_that_is_away_is_told(tmp_path):
    """In one sentence, and soon where the configuration says so."""
    timeouts = {"distributed": {"comm": {"timeouts": {"connect": "100ms"}}}}
    given = {"scheduler-address": "tcp://127.0.0.1:1"} | timeouts
    said = refused(given, ClusterError, tmp_path)
    assert said.startswith("The Dask scheduler tcp://127.0.0.1:1 cannot be reached: ")


def test_a_scheduler_without_workers_is_told(tmp_path):
    """After as long as the configuration says."""
    with threads(workers=0) as empty:
        given = {"scheduler-address": empty.scheduler_address}
        timeouts = {"distributed": {"comm": {"timeouts": {"connect": "100ms"}}}}
        said = refused(given | timeouts, ClusterError, tmp_path)
    assert "has no worker. Start one: dask worker inproc://" in said


@pytest.fixture
def elsewhere(monkeypatch):
    """Lets workers be processes that found something else than this one when they began."""

    def begin(*own, **differing):
        found = opening.found_packages
        opening._found_here.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(opening, "found_packages", lambda names: {**found(names), **differing})
            opening._found_here(("mlops_basics", *own))

    yield begin
    opening._found_here.cache_clear()


@pytest.mark.parametrize(
    ("differing", "message"),
    [
        (
            {"pandas": "2.0.0"},
            r"has other versions than this process: pandas 2\.0\.0 instead of 3\..*pip install",
        ),
        ({"mlops_basics": "0"}, r"has other code than this process in mlops_basics\. Bring the"),
    ],
)
def test_another_version_or_other_code_is_refused(address, tmp_path, elsewhere, differing, message):
    """At the start, and of a worker that joins later; with the package and the remedy."""
    given = {"scheduler-address": address}
    with open_cluster(given, tmp_path):
        elsewhere(**differing)
        with pytest.raises(ClusterError, match=f"The worker inproc://.* {message}"):
            list(map_parts(abs, [-1]))
    assert re.search(f"The worker inproc://.* {message}", refused(given, ClusterError, tmp_path))


def test_another_version_of_the_scheduler_is_refused(address, tmp_path, monkeypatch):
    """It and the clients have to speak of the same things."""
    import distributed

    get_versions = distributed.Client.get_versions

    def other(self, **how):
        found = get_versions(self, **how)
        found["scheduler"]["packages"] = found["scheduler"]["packages"] | {"dask": "2020.1"}
        return found

    monkeypatch.setattr("distributed.Client.get_versions", other)
    said = refused({"scheduler-address": address}, ClusterError, tmp_path)
    assert "The scheduler has other versions than this process: dask 2020.1 instead of 2" in said


def test_own_packages_are_compared_too(address, tmp_path, monkeypatch, elsewhere):
    """Of the user's code, what lies in `src`."""
    monkeypatch.setattr(opening, "own_packages", lambda _: {"own_rates": "0"})
    elsewhere("own_rates", own_rates="1")
    said = refused({"scheduler-address": address}, ClusterError, tmp_path)
    assert "has other code than this process in own_rates." in said
