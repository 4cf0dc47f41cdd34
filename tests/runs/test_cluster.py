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

    given = {"scheduler-address": address, "distributed": {"comm": {"timeouts": {"tcp": "7s"}}}}
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


def test_another_version_or_other_code_is_refused(address, tmp_path, monkeypatch):
    """The package, both versions, and the lock as the remedy."""
    import distributed

    given = {"scheduler-address": address}
    get_versions = distributed.Client.get_versions

    def other(self, **how):
        found = get_versions(self, **how)
        for worker in found["workers"].values():
            worker["packages"] = worker["packages"] | {"pandas": "2.0.0"}
        return found

    with monkeypatch.context() as patch:
        patch.setattr("distributed.Client.get_versions", other)
        said = refused(given, ClusterError, tmp_path)
    assert re.search(r"has other versions than this process: pandas 2\.0\.0 instead of 3\.", said)
    assert "requirements.txt" in said
    monkeypatch.setattr(opening, "own_packages", lambda _: {"own_rates": "0"})
    monkeypatch.setattr(opening, "found_packages", lambda names: dict.fromkeys(names, "0"))
    monkeypatch.setattr(
        "distributed.Client.run", lambda *_: {"w": {"own_rates": "1", "mlops_basics": "0"}}
    )
    said = refused(given, ClusterError, tmp_path)
    assert said.startswith("The worker w has other code than this process in own_rates.")
