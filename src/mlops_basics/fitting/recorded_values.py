"""Which recorded candidates may be searched again: what this checkout's configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_basics.errors import ConfigurationError
from mlops_basics.fitting.recipe import require_class
from mlops_basics.safe_text import short_text
from mlops_basics.schemas import Candidate, SearchRange, Task

_WHO = "The recorded run"
_MOST_SHOWN = 60  # characters of a value


def require_known_candidates(
    recorded: Mapping[Task, Mapping[str, Candidate]],
    candidates: Mapping[Task, Mapping[str, Candidate]],
) -> list[str]:
    """Refuse recorded candidates that would run something else than this checkout's could.

    Args:
        recorded: ``training.candidates`` of a run, from its manifest.
        candidates: Those of the checkout.

    Returns:
        What lies outside of the checkout's search space, a phrase each; it may be run all the same.

    Raises:
        ConfigurationError: If a class is none of the checkout's candidates for its task, or a
            parameter of it none that the checkout sets or searches, or of another type.
    """
    outside = []
    for task, named in recorded.items():
        for name, candidate in named.items():
            require_class(_WHO, candidate.class_path, task, candidates)
            known = [
                each
                for each in candidates[task].values()
                if each.class_path == candidate.class_path
            ]
            for key, values in _values(candidate).items():
                fixed = [each.fixed[key] for each in known if key in each.fixed]
                ranges = [each.space[key] for each in known if key in each.space]
                where = f"{name}.{key}"
                strange = [value for value in values if not _fits(where, value, fixed, ranges)]
                outside += [f"{task}.{where} {_shown(value)}" for value in strange]
    return outside


def require_known_settings(
    section: str, recorded: Mapping[str, Any], configured: Mapping[str, Any]
) -> list[str]:
    """Refuse recorded arguments of other names or types than this checkout's; as above.

    Args:
        section: What they are of, for messages.
        recorded: Of the run.
        configured: Of the checkout.
    """
    outside = []
    for key, value in recorded.items():
        known = [configured[key]] if key in configured else []
        if not _fits(f"{section}.{key}", value, known, []):
            outside.append(f"{section}.{key} {_shown(value)}")
    return outside


def _values(candidate: Candidate) -> dict[str, list[Any]]:
    """What a candidate sets and the ends of what it searches, by parameter."""
    values = {key: [value] for key, value in candidate.fixed.items()}
    for key, space in candidate.space.items():
        ends: list[Any] = list(space.choices)
        if space.type != "categorical":
            both = [end for end in (space.low, space.high) if end is not None]
            ends = [int(end) for end in both] if space.type == "int" else list(both)
        values.setdefault(key, []).extend(ends)
    return values


def _fits(where: str, value: Any, fixed: list[Any], ranges: list[SearchRange]) -> bool:
    """Whether a value is one that the checkout itself could try.

    Raises:
        ConfigurationError: If it is not even of a type that the checkout names there.
    """
    examples = [*fixed, *(example for each in ranges for example in _examples(each))]
    if not any(_is_like(value, example) for example in examples):
        what = f"has recorded {_shown(value)} for" if examples else "has recorded a value for"
        why = "which is of another type than" if examples else "which is no parameter in"
        raise ConfigurationError(
            f"{_WHO} {what} {short_text(where, _MOST_SHOWN)}, {why} this checkout's "
            "configuration. Check out the commit that made the run, or name the parameter in "
            "training.candidates of parameters_model_training.yml if it may be set."
        )
    return value in fixed or any(_is_inside(value, each) for each in ranges)


def _examples(space: SearchRange) -> tuple[Any, ...]:
    return space.choices or ((0,) if space.type == "int" else (0.0,))


def _is_like(value: Any, example: Any) -> bool:
    if isinstance(example, (dict, list, tuple)):  # may hold anything
        return bool(value == example)
    return type(value) is type(example) or (type(value) is int and type(example) is float)


def _is_inside(value: Any, space: SearchRange) -> bool:
    if space.type == "categorical":
        return value in space.choices
    number = isinstance(value, (int, float)) and space.low is not None and space.high is not None
    return number and space.low <= value <= space.high


def _shown(value: Any) -> str:
    return short_text(repr(value), _MOST_SHOWN)
