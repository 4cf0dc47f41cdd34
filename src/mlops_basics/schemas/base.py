"""The two bases: a section of the parameters, and a small JSON artifact."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

#: Of a field: left out where it is empty, so that who does not use it keeps the same bytes.
UnlessEmpty = Field(exclude_if=lambda value: not value)


class Section(BaseModel):
    """A section of the parameters: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Artifact(BaseModel):
    """A small JSON artifact: what a node found, in a form that users and programs can read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def shown(self) -> Self:
        """What people see of it: all, unless a kind of artifact keeps something to itself."""
        return self
