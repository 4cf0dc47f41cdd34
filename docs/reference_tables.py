"""Writes the tables of docs/reference, from the code and conf/base: ``make reference``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from mlops_basics import schemas
from mlops_basics.cli import EXIT_DIFFERENT, cli
from mlops_basics.commands.ct import ExitCode
from mlops_basics.config.checks import OPTIONAL_GLOBALS
from mlops_basics.pipeline_registry import register_pipelines
from mlops_basics.schemas import METRICS, PARAMETER_SECTIONS

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "conf" / "base"
#: What a scheduler is told by ``kedro ct``.
OF_CT = {
    ExitCode.NOTHING_TO_DO: "nothing to do, or what is to be done waits for labels or evidence",
    ExitCode.PROMOTED: "a new release is in production",
    ExitCode.KEPT: "no new release: what was searched or trained is not shown to be better; or the "
    "first model was refused and nothing is in production (the text says so)",
    ExitCode.WOULD_RETRAIN: "would retrain, or release (`--dry-run` alone)",
}
#: A target of the Makefile that is for users, what it does, and its recipe.
_TARGET = re.compile(r"^([a-z-]+):.*## (.*)\n((?:\t.*\n)*)", re.MULTILINE)
#: A line of a recipe that calls a program of the environment.
_CALL = re.compile(r"^\t@(?:\w+=\S+ )*\$\(BIN\)/(.*)$", re.MULTILINE)
_ENV = " $(if $(ENV),--env $(ENV))"
#: Names that users choose, by how many stand before them: training.candidates.<task>.<name>.
_ANY_NAME = {2: "<task>", 3: "<name>", 5: "<argument>"}
FORMATS = {
    "pandas.ParquetDataset": "Parquet",
    "mlops_basics.datasets.PartsDataset": "Parquet, a file or a folder of parts",
    "plotly.JSONDataset": "plotly figure, JSON",
    "text.TextDataset": "HTML",
    "mlops_basics.datasets.SafeCSVDataset": "CSV",
    "mlops_basics.datasets.ArraysDataset": "NumPy arrays",
    "mlops_basics.datasets.SklearnModelDataset": "skops, no pickle",
}


def commands() -> str:
    """Each command of the project with its options, and each target of the Makefile."""
    made = [["make", "what it does", "without make"]]
    for name, text, recipe in _TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")):
        lines = [line.removesuffix(_ENV) for line in _CALL.findall(recipe)]
        same = ", ".join(f"`{line}`" for line in lines)
        made.append([f"`make {name}`", text, "" if "$" in same else same])
    parts = ["## make", _table(made)]
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=f"kedro {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
        records = (option.get_help_record(context) for option in options)
        rows = [[f"`{shown}`", text] for shown, text in filter(None, records)]
        parts += [f"## kedro {name}", _prose(command.help or ""), f"`kedro {name} {usage}`"]
        parts.append(_table([["option", "meaning"], *rows]))
    return "\n\n".join(parts)


def exit_codes() -> str:
    """Each exit code of each command that has others than success and error."""
    rows = [["command", "code", "meaning"]]
    rows += [["`kedro ct`", f"{int(code)}", OF_CT[code]] for code in ExitCode]
    rows += [
        ["`kedro reproduce`", f"{EXIT_DIFFERENT}", "the run was repeated, but its results differ"],
        ["`kedro doctor`", "1", "a check has failed; a warning alone is 0"],
        ["all", "0", "done"],
        ["all", "1", "an error, told in a few lines; nothing is left half-written"],
        ["all", "2", "a wrong option, or a wrong argument"],
        ["all", "130", "interrupted by Ctrl-C"],
    ]
    return _table(rows)


def parameters() -> str:
    """Each option of globals.yml, and each parameter, with default, range and comment."""
    parts = ["## globals.yml", _parameter_table(BASE / "globals.yml", {})]
    for file in sorted(BASE.glob("parameters_*.yml")):
        schemas = {
            section: schema.model_json_schema()
            for section, schema in PARAMETER_SECTIONS.items()
            if schema is not None
        }
        parts += [f"## {file.name}", _parameter_table(file, schemas)]
    return "\n\n".join(parts)


def artifacts() -> str:
    """Each file that a run writes: where, as what, by which step."""
    nodes = {
        output: node for pipeline in register_pipelines().values() for node in pipeline.nodes
        for output in node.outputs
    }  # fmt: skip
    parts = []
    for file in sorted(BASE.glob("catalog_*.yml")):
        rows = [["data set", "what it is", "where", "made by"]]
        text = file.read_text(encoding="utf-8")
        begins = {key.value: key.start_mark.line for key, _ in yaml.compose(text).value}
        for name, entry in yaml.safe_load(text).items():
            if name.startswith("_") or "filepath" not in entry:
                continue
            node = nodes.get(name)
            where = entry["filepath"].replace("${_storage}", "data/<model_name>")
            made_by = f"`{node.name}`" if node else ""
            told = _comment(text.splitlines(), begins[name])
            rows.append([f"`{name}`", _what(entry, told), f"`{where}`", made_by])
        parts += [f"## {file.stem.removeprefix('catalog_').capitalize()}", _table(rows)]
    return "\n\n".join(parts)


def metrics() -> str:
    """Each metric: its name in parameters, of which tasks, which way is better, what it may do."""
    rows = [["name in parameters", "shown as", "of", "better", "reported", "tested", "guard"]]
    for spec in METRICS.values():
        better = "higher" if spec.greater_is_better else "lower"
        may = [("yes" if each else "") for each in (spec.reported, spec.tested, spec.guard)]
        rows.append([f"`{spec.name}`", spec.title, spec.kind, better, *may])
    told = (
        "Tested: `decision.metric` may name it, and `decision.guards` too. Guard: may refuse a "
        "challenger that is better overall, unless `decision.guards` names others."
    )
    return f"{_table(rows)}\n\n{told}"


#: By the name that a page gives, between the marks that :func:`filled_in` looks for.
TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (commands, exit_codes, parameters, artifacts, metrics)
}
_BETWEEN = re.compile(r"(<!-- reference: (\w+) -->\n).*?(<!-- reference ends -->\n)", re.DOTALL)


def filled_in(markdown: str) -> str:
    """A page with the table of its name between each pair of marks, whatever stood there.

    Raises:
        KeyError: If there is no such table.
    """
    return _BETWEEN.sub(lambda at: f"{at[1]}\n{TABLES[at[2]]()}\n\n{at[3]}", markdown)


def main() -> None:
    """Write each page of docs/reference anew."""
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        page.write_text(filled_in(page.read_text(encoding="utf-8")), encoding="utf-8")


def _what(entry: Mapping[str, Any], comment: str) -> str:
    """What a data set is, by the comment of its entry, else by the class of its content."""
    told = f"{comment[:1].upper()}{comment[1:]}."
    if not comment:
        schema = getattr(schemas, entry["model"].rpartition(".")[2])
        told = _prose((schema.__doc__ or "").partition("\n\n")[0].strip())
    return f"{told} ({FORMATS.get(entry['type'], 'JSON')})"


def _parameter_table(file: Path, schemas: Mapping[str, Any]) -> str:
    text = file.read_text(encoding="utf-8")
    for name in OPTIONAL_GLOBALS:  # a comment there, since it has no default
        text = text.replace(f"\n# {name}: ", f"\n{name}:   ")
    lines = text.splitlines()
    rows = [["name", "default", "range", "meaning"]]
    for names, default, line in _leaves(yaml.compose(text), ()):
        if not default and not _comment(lines, line):
            continue
        allowed = _range(schemas.get(names[0]), names[1:])
        shown = f"`{default}`" if default else ""
        rows.append([f"`{'.'.join(names)}`", shown, allowed, _comment(lines, line)])
    return _table(rows)


def _leaves(
    node: yaml.MappingNode, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Name, default as it is written, and line of each value, and of each section without default.

    Of candidates, and of what one varies, the first stands for all.
    """
    any_name = _ANY_NAME.get(len(above)) if above[1:2] == ("candidates",) else None
    for key, value in node.value[:1] if any_name else node.value:
        names = (*above, any_name or key.value)
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield names, "", key.start_mark.line
            yield from _leaves(value, names)
        else:
            begin, end = value.start_mark, value.end_mark
            text = begin.buffer[begin.pointer : end.pointer].strip() if begin.buffer else ""
            yield names, text, begin.line


def _comment(lines: Sequence[str], line: int) -> str:
    """The comment behind a value, and its continuation in the lines below."""
    _, mark, comment = lines[line].partition(" #")
    if not mark:
        return ""
    words = [comment.strip()]
    column = lines[line].index(" #")
    for below in lines[line + 1 :]:
        if not below.strip().startswith("#") or below.index("#") < column // 2:
            break
        words.append(below.strip().lstrip("# "))
    return " ".join(words)


def _range(schema: Any, names: Sequence[str]) -> str:
    """What a parameter may be, in words, by the schema of its section."""
    found = schema
    for name in names:
        if not isinstance(found, dict):
            return ""
        if "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
        found = found.get("properties", {}).get(name) or found.get("additionalProperties")
    if not isinstance(found, dict):
        return ""
    return _in_words(found, schema)


def _in_words(kind: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in kind:
        return _in_words(schema["$defs"][kind["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in kind:
        return " or ".join(_in_words(each, schema) for each in kind["anyOf"])
    if "enum" in kind:
        return ", ".join(f"`{each}`" for each in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_in_words(kind.get('items', {}), schema) or 'names'}"
    words = {
        "integer": "whole number", "number": "number", "string": "text", "boolean": "true or false",
        "object": "mapping", "null": "null",
    }.get(kind.get("type", ""), "")  # fmt: skip
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {kind[name]:g}" for name, sign in bounds.items() if name in kind]
    return f"{words} {', '.join(told)}".strip()


def _prose(text: str) -> str:
    """A docstring as Markdown: its code in single backticks, its lines joined by paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).replace("``", "`")


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


if __name__ == "__main__":
    main()
