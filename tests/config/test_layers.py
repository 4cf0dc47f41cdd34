"""A project that is built on this package states what differs, and has the rest of it below."""

from __future__ import annotations

import pytest
import yaml
from kedro.framework import project as kedro_project

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs.session import Place
from tests.support.project import ROOT, bootstrap

#: Of a project that is built on this package.
STATED = {
    "base/globals.yml": {"model_name": "shop", "source": "shop.csv", "target": "left"},
    "base/catalog.yml": {
        "labels": {"type": "pandas.CSVDataset", "filepath": "labels.csv"},
        "shop_report": {"type": "json.JSONDataset", "filepath": "data/shop.json"},
    },
    "base/parameters.yml": {"training": {"n_trials": 7}, "shop": {"least": 0.5}},
    "prod/globals.yml": {"storage": "elsewhere"},
    "prod/parameters.yml": {"training": {"gap_rows": 9}},
    "flights/globals.yml": {"seed": 5},
}


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Makes the configuration of an environment readable, as Kedro would read it."""
    bootstrap(ROOT)
    monkeypatch.setattr(kedro_project, "PACKAGE_NAME", "shop")
    monkeypatch.chdir(tmp_path)
    for name, content in STATED.items():
        file = tmp_path / "conf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
    (tmp_path / "conf" / "local").mkdir()
    return lambda env=None: Place(tmp_path, env, {}).loader()


def base(name):
    """What a file of this project's own conf/base says."""
    return yaml.safe_load((ROOT / "conf" / "base" / f"{name}.yml").read_text(encoding="utf-8"))


def test_what_is_stated_replaces_what_is_below(built):
    """Options and parameters key by key, a catalog entry as a whole; all else is as it is here."""
    found, ours = built(), base("globals")
    assert found["globals"] == {**ours, **STATED["base/globals.yml"]}
    training = base("parameters_model_training")["training"]
    assert found["parameters"]["training"]["n_trials"] == 7
    assert found["parameters"]["training"]["gap_rows"] == training["gap_rows"]
    assert found["parameters"]["shop"] == {"least": 0.5}
    for name, entry in STATED["base/catalog.yml"].items():
        assert found["catalog"][name] == entry
    assert found["catalog"]["source"]["path"] == "shop.csv"
    assert found["catalog"]["release"]["model_name"] == "shop"
    assert found["mlflow"]["ui"] == base("mlflow")["ui"]


def test_an_environment_lies_on_the_base(built):
    """On that of the project, and on its own namesake here, for which no folder is needed."""
    prod = built("prod")
    assert prod["globals"]["storage"] == "elsewhere"
    assert prod["globals"]["model_name"] == "shop"
    assert [prod["parameters"]["training"][name] for name in ("n_trials", "gap_rows")] == [7, 9]
    flights = built("flights")["globals"]
    assert (flights["model_name"], flights["seed"]) == ("flights", 5)
    assert built("breast_cancer")["globals"]["model_name"] == "breast_cancer"


def test_misspelt_names_are_named(built, tmp_path):
    """Of an environment, and of an option in the project's own base."""
    with pytest.raises(ConfigurationError, match=r"no environment 'prd'.*flights.*prod"):
        built("prd")
    (tmp_path / "conf" / "base" / "globals.yml").write_text("model_nam: shop\n", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"'model_nam' in conf/base/globals.yml.*model_name"
    ):
        built()
