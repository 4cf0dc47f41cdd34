"""What MLflow's page shows of a run: its name, parameters, tags, description, data versions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from mlops_basics.reporting.decision_text import decision_markdown, outcome_markdown
from mlops_basics.runs.find import VERSION_TAG
from mlops_basics.schemas import Artifact, Decision, Manifest, Recipe, TableInfo, Verdict

A = TypeVar("A", bound=Artifact)

WHOLE_LOOP = "__default__"
#: Said by the experiment's name, or by `collection.num_instances`.
_SAID_ELSEWHERE = ("model_name", "num_instances")
#: Arguments of a recipe that are parameters of the training section.
_OF_TRAINING = ("seed", "vectorizer", "dense")


def run_name(model_name: str, pipelines: Sequence[str], recipe: Recipe | None = None) -> str:
    """A run's name in the list: model, task and candidate, and the pipelines if not the loop.

    Args:
        model_name: Name of the model.
        pipelines: Names of the pipelines that ran.
        recipe: Of the model that was fitted; None: there is none (yet).
    """
    parts = [model_name] + ([recipe.task, recipe.candidate] if recipe else [])
    others = [name for name in pipelines if name != WHOLE_LOOP]
    return " ".join(parts + ([f"({', '.join(others)})"] if others else []))


def shown_parameters(
    manifest: Manifest, artifacts: Mapping[str, Artifact], sections: Collection[str]
) -> dict[str, str]:
    """What a run was made with and what was chosen, each once, by its dotted name.

    The manifest has all parameters; here are those that mattered: of the sections that the run's
    nodes take, of the candidates of its task, and the recipe of its model.

    Args:
        manifest: The run's.
        artifacts: Its small results.
        sections: Names of the sections that its nodes take.
    """
    shown: dict[str, Any] = {
        name: value
        for name, value in manifest.parameters.items()
        if name not in _SAID_ELSEWHERE
        and value is not None
        and (name in sections or not isinstance(value, Mapping))
    }
    recipe, table = of_type(artifacts, Recipe), of_type(artifacts, TableInfo)
    task = recipe.task if recipe else table.task if table else None
    training = shown.get("training")
    if isinstance(training, Mapping) and isinstance(training.get("candidates"), Mapping):
        candidates = training["candidates"].get(task) or {}
        # One line each: a search space is compared as a whole.
        lines = {name: json.dumps(candidate) for name, candidate in candidates.items()}
        shown["training"] = {**training, "candidates": lines}
        if not lines:
            del shown["training"]["candidates"]
    if recipe is not None:
        chosen = recipe.model_dump(exclude=set(_OF_TRAINING))
        chosen["parameters"].pop("random_state", None)  # training.seed
        shown["recipe"] = chosen
    return flatten(shown)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as one level of dotted names; lists become JSON."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            flat[f"{prefix}{key}"] = text
    return flat


def run_tags(manifest: Manifest, artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """Code, data and outcome of a run, to be searched for."""
    code = manifest.code
    tags = {
        VERSION_TAG: manifest.run_id,
        "model_name": manifest.model_name,
        "env": manifest.env,
        "git_dirty": str(code.git_dirty),
        "lock_sha256": code.lock_sha256 or "unknown",
        "python": code.python,
    }
    if code.git_commit:  # MLflow's page shows it as the run's source
        tags["mlflow.source.git.commit"] = code.git_commit
    if (raw := manifest.datasets.get("raw_data")) is not None:
        tags["data_version"] = raw.version
    for name, source in manifest.sources.items():
        tags[f"dvc.{name}"] = source.md5 if source.unchanged else f"{source.md5} (changed since)"
    return tags | _decision_tags(artifacts) | _verdict_tags(artifacts)


def run_note(artifacts: Mapping[str, Artifact]) -> str:
    """What came of a run, and why, as the Markdown that MLflow shows as its description."""
    decision, verdict = of_type(artifacts, Decision), of_type(artifacts, Verdict)
    if decision is not None:
        return decision_markdown(decision.shown())
    if verdict is not None:
        reasons = [*verdict.reasons, *(verdict.adaptation.reasons if verdict.adaptation else ())]
        return outcome_markdown(verdict.outcome.replace("_", " "), reasons)
    return ""


def data_table(manifest: Manifest) -> str:
    """The versions of a run's data sets as CSV, which MLflow's page shows as a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["data set", "version", "access", "rows", "sha256", "path"])
    for name, data in manifest.datasets.items():
        rows = "" if data.rows is None else data.rows
        writer.writerow([name, data.version, data.access, rows, data.sha256, data.path])
    return text.getvalue()


def of_type(artifacts: Mapping[str, Artifact], kind: type[A]) -> A | None:
    """The artifact of a kind, None if there is none."""
    return next(_all_of_type(artifacts, kind), None)


def _all_of_type(artifacts: Mapping[str, Artifact], kind: type[A]) -> Iterator[A]:
    return (artifact for artifact in artifacts.values() if isinstance(artifact, kind))


def _decision_tags(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """What was decided; why is in the run's description."""
    return {
        f"decision.{name}": value
        for decision in map(Decision.shown, _all_of_type(artifacts, Decision))
        for name, value in {
            "outcome": decision.outcome,
            "metric": decision.metric,
            "champion_version": decision.champion_version,
            "challenge_number": str(decision.challenge.number),
        }.items()
    }


def _verdict_tags(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """What the monitor said; why is in the run's description."""
    return {
        f"verdict.{name}": value
        for verdict in _all_of_type(artifacts, Verdict)
        for name, value in {
            "outcome": verdict.outcome,
            "version": verdict.version,
            "evidence": json.dumps(verdict.evidence),
            "action": verdict.adaptation.action if verdict.adaptation else "none",
            "policy": verdict.adaptation.policy if verdict.adaptation else "",
        }.items()
    }
