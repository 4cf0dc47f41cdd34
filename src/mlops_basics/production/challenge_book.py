"""How often each champion was challenged, where only publishers write: numbers that never go back.

MLflow's book of challenges can be changed by whoever may write into its experiment. A run that was
deleted there, or a number that was set back, would give back a share of alpha that is spent; and
evidence that was written there by hand would speak for the next challenger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mlops_basics.errors import ReleaseError, StorageError
from mlops_basics.production.release_check import is_component
from mlops_basics.runs.challenges import CountedChallenge
from mlops_basics.schemas import Challenge, Look
from mlops_basics.storage.faults import is_denied
from mlops_basics.storage.store_files import StoreFiles

_FOLDER = "challenges"
_ENTRY = re.compile(r"(\d{6,})\.json")
_MOST_BYTES = 2**16  # of an entry


class ChallengeBook:
    """One numbered file a challenge, below the champion's name; none is changed or removed."""

    def __init__(self, files: StoreFiles) -> None:
        """
        Args:
            files: Where the store keeps a model's releases.
        """
        self._files = files

    def entries(self, champion: str) -> dict[int, str]:
        """What a champion's challenges have spent, by number.

        An entry that cannot be read counts all the same.

        Raises:
            ReleaseError: If the champion's name is no part of a path.
        """
        contents = self._contents(champion).items()
        return {number: str(content.get("spent", "")) for number, content in contents}

    def looks(self, champion: str) -> tuple[Look, ...]:
        """What a champion's challenges have said, by their numbers; an unreadable one says nothing.

        Raises:
            ReleaseError: If the champion's name is no part of a path.
        """
        looks = []
        for number, content in sorted(self._contents(champion).items()):
            try:
                look = Look.model_validate(content.get("look"))
            except ValidationError:
                continue
            looks.append(look.model_copy(update={"number": number}))
        return tuple(looks)

    def count(
        self, counted: CountedChallenge, before: Mapping[int, str], look: Look | None = None
    ) -> Challenge:
        """Write a challenge down before it is decided; the larger number of both books counts.

        Who may read production and not write there, as a trainer, gets the number that a publisher
        would, and leaves no entry: what he decides is no publisher's decision.

        Args:
            counted: As MLflow has it.
            before: The champion's ``entries`` from before that was asked: MLflow has to know them.
            look: What the challenge adds to the evidence about its recipe.

        Returns:
            The challenge with its number, and a note if MLflow has lost some.

        Raises:
            StorageError: If production does not answer.
        """
        challenge, latest = counted.challenge, max(before, default=0)
        own = [number for number, spent in before.items() if spent == counted.spent]
        if own:
            number = min(own)
        else:
            number = self._write(
                _folder(challenge.champion_version),
                max(latest + 1, challenge.number),
                {"spent": counted.spent} | ({"look": look.model_dump(mode="json")} if look else {}),
            )
        lost = set(before.values()) - counted.known
        note = (
            f"Of the challenges that production has written down (up to number {latest}), MLflow "
            f"lacks {len(lost)}: deleted there, or this is another MLflow. They count all the same."
        )
        return challenge.model_copy(
            update={
                "number": max(number, challenge.number),
                "repeated": challenge.repeated or bool(own),
                "note": note if lost else "",
            }
        )

    def _contents(self, champion: str) -> dict[int, dict[str, Any]]:
        """Entries by number; one that cannot be read is empty."""
        folder = _folder(champion)
        matches = (_ENTRY.fullmatch(name) for name in self._files.names(folder))
        return {
            int(match[1]): self._read(f"{folder}/{match[0]}") for match in filter(None, matches)
        }

    def _read(self, path: str) -> dict[str, Any]:
        try:
            read = json.loads(self._files.read(path, _MOST_BYTES) or b"")
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}

    def _write(self, folder: str, number: int, entry: Mapping[str, Any]) -> int:
        """Write an entry under the next free number, which is returned.

        Of two processes that count the same challenge at once, the slower one takes the number of
        the faster one.
        """
        content = json.dumps(entry).encode()
        try:
            while not self._files.create(path := f"{folder}/{number:06d}.json", content):
                if self._read(path).get("spent") == entry["spent"]:
                    break
                number += 1  # another challenge was faster
        except StorageError as error:
            if not is_denied(error):
                raise
        return number


def _folder(champion: str) -> str:
    if not is_component(champion):
        raise ReleaseError(
            f"A champion's name must be one part of a path, such as '3', got {champion[:60]!r}."
        )
    return f"{_FOLDER}/{champion}"
