"""Which batches a policy learns from, and the models that the policies would have had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_basics.errors import DataError
from mlops_basics.fitting.recipe import fit_recipe
from mlops_basics.schemas import Model, Recipe, Release
from mlops_basics.schemas.policy import PolicyState
from mlops_basics.table.learning import LabelledRows, as_learned


def past_batches(state: PolicyState) -> tuple[str, ...]:
    """All labelled batches so far, each once."""
    return tuple(dict.fromkeys((*state.known, *state.entered)))


def names_now(names: Iterable[str], moved: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names of batches as they are now, each once.

    Args:
        names: As they were.
        moved: By old name, the files that hold its rows now.
    """
    return tuple(dict.fromkeys(now for name in names for now in moved.get(name, (name,))))


def with_names_now(state: PolicyState, moved: Mapping[str, Sequence[str]]) -> PolicyState:
    """The state with the names that its batches have after files were renamed, divided or joined.

    Args:
        state: With the names as they were.
        moved: By old name, the files that hold its rows now.
    """
    learned, plan = state.learned, state.plan
    return state.model_copy(
        update={
            "known": names_now(state.known, moved),
            "entered": names_now(state.entered, moved),
            "learned": None if learned is None else tuple(sorted(names_now(learned, moved))),
            "plan": plan and plan.model_copy(update={"batches": names_now(plan.batches, moved)}),
        }
    )


def grown_enough(rows: int, learned_rows: int) -> bool:
    """Whether a refresh under ``all`` is due: its rows have grown by a tenth."""
    return 10 * rows >= 11 * learned_rows


@dataclass
class Fits:
    """Models of recipes on the labelled rows, each fitted once a look.

    Attributes:
        rows: All labelled rows that there are.
        release: In production; its model tells the type of the target.
        max_rows: That a model is fitted on, at most; of more a sample by hash. None: all.
        salt: Of the hash.
    """

    rows: LabelledRows
    release: Release
    max_rows: int | None = None
    salt: str = ""
    _made: dict[Any, Model | None] = field(default_factory=dict)

    def of(
        self, recipe: Recipe, batches: Sequence[str], before: tuple[str, int] | None = None
    ) -> Model | None:
        """The recipe's model of some batches; None where these cannot be learned from.

        Args:
            recipe: What to fit.
            batches: Their names.
            before: A batch and a position in it, from which on nothing is learned.
        """
        cut = before if before is not None and before[0] in batches else None
        key = (recipe.digest, tuple(sorted(batches)), cut)
        if key not in self._made:
            self._made[key] = self._fit(recipe, batches, cut)
        return self._made[key]

    def learned(
        self, batches: Sequence[str], before: tuple[str, int] | None = None
    ) -> LabelledRows:
        """The rows of some batches that a model learns from: of classes that the release knows."""
        keep = self.rows.are_of(batches)
        if before is not None:
            keep &= (self.rows.batch != before[0]) | (self.rows.position < before[1])
        rows = self.rows.where(keep).drawn(self.max_rows, self.salt)
        return rows.of_classes(self.release.table.classes)

    def there(self, batches: Sequence[str]) -> int:
        """How many labelled rows there are of some batches."""
        return int(self.rows.are_of(batches).sum())

    def is_sample(self, batches: Sequence[str]) -> bool:
        """Whether models of these batches are fitted on a sample of their rows."""
        return self.max_rows is not None and self.there(batches) > self.max_rows

    def _fit(
        self, recipe: Recipe, batches: Sequence[str], before: tuple[str, int] | None
    ) -> Model | None:
        rows = self.learned(batches, before)
        target = as_learned(rows.target, self.release.model)
        try:
            model: Model = fit_recipe(recipe, rows.features.read(), target)
        except DataError:  # no row, or one class only
            return None
        return model
