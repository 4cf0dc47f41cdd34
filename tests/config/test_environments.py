"""Tests of conf/: each environment states only what differs from base."""

from __future__ import annotations

import shutil

import pytest
from kedro.config import OmegaConfigLoader
from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig

from mlops_basics.config.checks import check_artifact_location
from mlops_basics.errors import ConfigurationError
from mlops_basics.settings import CONFIG_LOADER_ARGS
from tests.support.project import ROOT


@pytest.fixture
def loaded(monkeypatch):
    """The configuration of an environment, as Kedro loads it for a run."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLOPS_BUCKET", "bucket")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")

    def load(env, **runtime_params):
        conf = str(ROOT / "conf")
        return OmegaConfigLoader(conf, env, runtime_params, **CONFIG_LOADER_ARGS)

    return load


@pytest.mark.parametrize(
    ("env", "uri", "artifacts", "disabled"),
    [
        ("base", "sqlite:///{root}/data/mlflow/mlflow.db", "{root}/data/mlflow/artifacts", []),
        ("flights", "sqlite:///{root}/data/mlflow/mlflow.db", "{root}/data/mlflow/artifacts", []),
        (
            "demo",
            "sqlite:///{root}/data/demo/mlflow/mlflow.db",
            "{root}/data/demo/mlflow/artifacts",
            [],
        ),
        ("s3", "http://127.0.0.1:1", None, []),
        (
            "scorer",
            "sqlite:///{root}/data/mlflow/mlflow.db",
            "{root}/data/mlflow/artifacts",
            ["batch_inference"],
        ),
    ],
)
def test_where_runs_are_recorded(loaded, env, uri, artifacts, disabled):
    """mlflow.yml is merged key by key; on S3 the server alone knows where artifacts go."""
    loader = loaded(env, model_name="mine")
    config = KedroMlflowConfig.model_validate(loader["mlflow"])
    location = config.tracking.experiment.create_experiment_kwargs.artifact_location
    assert config.server.mlflow_tracking_uri == uri.format(root=ROOT.as_posix())
    assert location == (artifacts and artifacts.format(root=ROOT.as_posix()))
    assert config.tracking.disable_tracking.pipelines == disabled
    assert config.tracking.experiment.name == "mine"
    assert config.tracking.run.nested is False
    assert (config.ui.port, config.ui.host) == ("5000", "127.0.0.1")


@pytest.mark.parametrize("env", ["base", "flights", "demo", "s3", "scorer"])
def test_no_environment_of_ours_keeps_a_server_s_artifacts_here(loaded, env):
    """Files of a shared experiment never go to a folder of one machine."""
    check_artifact_location(env, loaded(env))


@pytest.mark.parametrize("kwargs", ["", "    create_experiment_kwargs: {}\n"])
def test_a_server_does_not_inherit_a_local_folder(loaded, tmp_path, kwargs):
    """A copy of conf/s3 from before mlflow.yml was merged is refused, with the line to write."""
    (tmp_path / "base").mkdir()
    (tmp_path / "mine").mkdir()
    shutil.copy(ROOT / "conf/base/mlflow.yml", tmp_path / "base")
    shutil.copy(ROOT / "conf/base/globals.yml", tmp_path / "base")
    (tmp_path / "mine" / "mlflow.yml").write_text(
        "server:\n  mlflow_tracking_uri: https://mlflow.example.org\n"
        f"tracking:\n  experiment:\n    name: mine\n{kwargs}"
    )
    loader = OmegaConfigLoader(str(tmp_path), "mine", **CONFIG_LOADER_ARGS)
    with pytest.raises(ConfigurationError, match=r"conf/mine/mlflow.yml.*artifact_location: null"):
        check_artifact_location("mine", loader)


def test_the_catalog_has_one_root_a_model(loaded):
    """Every file of the model lies below its storage, whichever file of the catalog names it."""
    catalog = loaded("s3", model_name="mine")["catalog"]
    paths = {name: entry["filepath"] for name, entry in catalog.items() if "filepath" in entry}
    assert [path for path in paths.values() if not path.startswith("s3://bucket/data/mine/")] == []
    assert paths["{name}_plot"] == "s3://bucket/data/mine/reporting/{name}_plot.json"
    assert catalog["champion"]["model_name"] == "mine"
