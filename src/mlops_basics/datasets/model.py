"""A fitted scikit-learn pipeline as a versioned MLflow model."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed_version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version, get_filepath_str, get_protocol_and_path

from mlops_basics.errors import DataError
from mlops_basics.schemas import FittedModel
from mlops_basics.storage.archive_check import check_archive
from mlops_basics.storage.skops_archive import MODEL_FILE, load_model, model_archive

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: What a machine needs to load any model, by installed version.
REQUIREMENTS = ("scikit-learn", "skrub", "skops", "pandas", "numpy", "scipy", "mlflow")
#: Modules of these, and of Python.
_ALWAYS_THERE = {"sklearn", "skrub", "pandas", "numpy", "scipy", *sys.stdlib_module_names}


def requirements_of(types: Iterable[str]) -> tuple[str, ...]:
    """Names of the installed packages that a model of these types needs.

    Args:
        types: Import paths of what it holds; the user's own code in ``src`` belongs to no package.
    """
    modules = {path.partition(".")[0] for path in types} - _ALWAYS_THERE
    if not modules:
        return REQUIREMENTS
    installed = packages_distributions()  # looks at every package: a model of ours needs none
    more = {name for module in modules for name in installed.get(module, ())}
    return (*REQUIREMENTS, *sorted(more - set(REQUIREMENTS)))


class SklearnModelDataset(AbstractVersionedDataset[FittedModel, "Pipeline"]):
    """``SklearnModelDataset`` saves a fitted pipeline as an MLflow model folder in skops format.

    The folder has a signature and an input example and is what ``mlflow.pyfunc`` loads. Loading
    executes nothing that the folder names: it reads the skops file, and refuses every type that
    ``trusted_types`` does not list, and what is not as skops writes it.

    Example of a catalog entry::

        model:
          type: mlops_basics.datasets.SklearnModelDataset
          filepath: data/iris/models/model
          trusted_types: [skrub._table_vectorizer.TableVectorizer]
          versioned: true

    >>> import pandas as pd, tempfile
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    >>> pipeline = make_pipeline(LinearRegression()).fit(table, [1.0, 3.0, 5.0])
    >>> trusted = ["sklearn.pipeline.Pipeline", "sklearn.linear_model._base.LinearRegression"]
    >>> folder = tempfile.mkdtemp() + "/model"
    >>> dataset = SklearnModelDataset(filepath=folder, trusted_types=trusted)
    >>> dataset.save(FittedModel(pipeline=pipeline, example=table.head(2)))
    >>> dataset.load().predict(pd.DataFrame({"x": [10.0]})).round(6).tolist()
    [21.0]
    """

    def __init__(
        self,
        *,
        filepath: str,
        trusted_types: list[str],
        version: Version | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            filepath: Folder of the model, with any protocol that fsspec knows.
            trusted_types: Import paths of the classes and functions that a model may hold.
            version: Versions to load and to save, by Kedro.
            credentials: Arguments of the file system that are secret.
            fs_args: Other arguments of the file system.
            metadata: Ignored by Kedro, read by plugins.
        """
        protocol, path = get_protocol_and_path(filepath, version)
        self._protocol = protocol
        self._fs = fsspec.filesystem(protocol, **(credentials or {}), **(fs_args or {}))
        self._trusted_types = list(trusted_types)
        self._loaded: tuple[str, Pipeline] | None = None
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=self._fs.exists,
            glob_function=self._fs.glob,
        )

    def load(self) -> Pipeline:
        file = f"{get_filepath_str(self._get_load_path(), self._protocol)}/{MODEL_FILE}"
        if self._loaded is not None and self._loaded[0] == file and self._version is not None:
            return self._loaded[1]  # a version never changes, and several nodes read it
        content = self._fs.cat_file(file)
        self._loaded = (file, load_model(content, self._trusted_types, file))
        return self._loaded[1]

    def save(self, data: FittedModel) -> None:
        import mlflow.sklearn
        from mlflow.models import infer_signature
        from sklearn.dummy import DummyClassifier

        if data.example.empty:
            raise DataError("A model must be saved with at least one example row, got none.")
        content = model_archive(data.pipeline)
        held = check_archive(content, self._trusted_types, "The model, as it would be saved,")
        signature = infer_signature(data.example, data.pipeline.predict(data.example))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            # What MLflow writes beside the model says nothing of it: so that a wide model, which
            # takes skops a while, is not written twice, another one stands in for it.
            mlflow.sklearn.save_model(
                DummyClassifier(),
                folder,
                signature=signature,
                input_example=data.example,
                pip_requirements=[
                    f"{name}=={installed_version(name)}" for name in requirements_of(held)
                ],
                serialization_format="skops",
                skops_trusted_types=self._trusted_types,
            )
            (folder / MODEL_FILE).write_bytes(content)
            target = get_filepath_str(self._get_save_path(), self._protocol)
            if self._fs.exists(target):  # an unversioned model: putting would nest the folders
                self._fs.rm(target, recursive=True)
            self._fs.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            self._fs.put(str(folder), target, recursive=True)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "protocol": self._protocol, "version": self._version}

    def _exists(self) -> bool:
        path = get_filepath_str(self._get_load_path(), self._protocol)
        return bool(self._fs.exists(f"{path}/{MODEL_FILE}"))
