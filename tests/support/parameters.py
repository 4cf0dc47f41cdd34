"""Sections of the parameters as conf/base states them, with what a test says otherwise."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

from kedro.config import OmegaConfigLoader

from mlops_basics.schemas import PARAMETER_SECTIONS, Section
from tests.support.project import ROOT

S = TypeVar("S", bound=Section)


def configured(kind: type[S], **values: Any) -> S:
    """A section by its type; a test names the target of its own table.

    Args:
        kind: The type of the section, or of a section within one.
        values: What differs from conf/base; of a nested section, a dictionary of what differs.
    """
    stated = dict(sections()[kind])
    for name, value in values.items():
        field = kind.model_fields.get(name)
        if isinstance(value, dict) and field is not None and field.annotation in sections():
            value = sections()[field.annotation] | value
        stated[name] = value
    return kind.model_validate(stated)


@functools.cache
def sections() -> dict[type[Section], dict[str, Any]]:
    """What conf/base states of each section, those within others included."""
    loader = OmegaConfigLoader(str(ROOT / "conf"), "base", base_env="base")
    loader["globals"] = {**loader["globals"], "target": None}
    parameters = loader["parameters"]
    found: dict[type[Section], dict[str, Any]] = {}
    for name, kind in PARAMETER_SECTIONS.items():
        if kind is not None:
            found[kind] = parameters[name]
            for inner, field in kind.model_fields.items():
                if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                    found[field.annotation] = parameters[name][inner]
    return found
