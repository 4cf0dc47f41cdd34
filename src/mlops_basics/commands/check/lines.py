"""The lines of globals.yml that a table needs, and the file that they stand in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mlops_basics.config.checks import ENVIRONMENT, MODEL_NAME
from mlops_basics.errors import ConfigurationError

from .findings import Findings
from .judgement import excluded, suspects

OWN = ("base", "local", "demo", "scorer", "s3")  # folders of conf/ that mean something else
_SUFFIX = re.compile(r"(\.(csv|tsv|parquet|pq))?(\.gz)?$", re.IGNORECASE)


def name_of(source: str) -> str:
    """A model's name by that of its source."""
    stem = _SUFFIX.sub("", PurePosixPath(source.replace("\\", "/")).name)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")[:60].lower()
    return name if MODEL_NAME.fullmatch(name) else f"model_{name}"[:60].rstrip("_-")


def lines(
    findings: Findings, name: str, csv: Mapping[str, Any], options: Mapping[str, Any]
) -> list[str]:
    """The lines, those that are needed first; what is only worth a thought is commented out.

    Args:
        findings: Of a table whose target is known.
        name: Of the model.
        csv: Options of ``pandas.read_csv``, found out or given.
        options: What globals.yml says already beside these, where it differs from the defaults.
    """
    target = findings.target
    assert target is not None  # noqa: S101 (without one there is nothing to write)
    said = [
        _line("model_name", name),
        _line("source", findings.source),
        _line("target", target.table.target),
    ]
    if csv:
        said.append(_line("csv", dict(csv), "as the file is written"))
    out = excluded(findings)
    if out or options.get("exclude"):
        names = list(dict.fromkeys([*options.get("exclude", ()), *out]))
        said.append(_line("exclude", names, "; ".join(dict.fromkeys(out.values()))))
    said += [_line(key, value) for key, value in options.items() if key != "exclude"]
    if found := suspects(findings):
        names = [*options.get("exclude", ()), *out, *found]
        reason = "if not known beforehand: " + ", ".join(map(repr, found))
        said.append("# " + _line("exclude", list(dict.fromkeys(names)), reason))
    if "time_column" not in options:
        for time in findings.times[:3]:
            if time.period and time.name not in out:
                reason = "newest rows are test rows, as in production"
                said.append("# " + _line("time_column", time.name, reason))
                said.append("# " + _line("period", time.period))
                break
    return said


def write_lines(conf: Path, name: str, said: list[str], *, overwrite: bool) -> Path:
    """Write the lines as conf/NAME/globals.yml.

    Raises:
        ConfigurationError: If the name is none of an environment, or the file is there already.
    """
    if not ENVIRONMENT.fullmatch(name) or not MODEL_NAME.fullmatch(name) or name in OWN:
        raise ConfigurationError(
            f"--write makes an environment, conf/NAME/globals.yml: {name[:60]!r} cannot be its "
            "name. Choose another one of letters, digits and '_'."
        )
    file = conf / name / "globals.yml"
    if file.exists() and not overwrite:
        raise ConfigurationError(
            f"conf/{name}/globals.yml is there already, and nothing was written. Choose another "
            "name, or say --overwrite."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(said) + "\n", encoding="utf-8")
    return file


def _line(key: str, value: Any, reason: str = "") -> str:
    shown = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6)
    text = f"{key}: {shown.strip()[1:-1]}"
    return f"{text} # {reason}" if reason else text
