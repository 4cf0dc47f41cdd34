"""Files that have left the source, though a release learned from them or was watched on them."""

from __future__ import annotations

from collections.abc import Collection

from mlops_basics.reporting.text import shorten
from mlops_basics.schemas import Watch

from .intake import Intake


def gone_files(watch: Watch, present: Collection[str], intake: Intake) -> tuple[str, ...]:
    """Files that are known and not there any more, whether or not their rows stand elsewhere.

    Args:
        watch: What is known.
        present: Names of all files of the source, those that are skipped among them.
        intake: This look; a file that it finds under a new name is not gone.
    """
    known = {*watch.trained, *(batch.name for batch in watch.batches if batch.number)}
    return tuple(sorted(known - {*present} - {*intake.renamed}))


def gone_warnings(
    gone: Collection[str], before: Collection[str], intake: Intake, version: str
) -> list[str]:
    """One line on the files that are gone since the last look; none if their rows were found.

    Args:
        gone: As ``gone_files`` finds them now.
        before: As it found them at the last look: they were told then.
        intake: This look; of what it has found in other files nothing is lost.
        version: The release that is watched.
    """
    lost = [name for name in gone if name not in before and name not in intake.moved]
    if not lost:
        return []
    named = shorten(lost, 3, "more")
    names = ", ".join(f"'{name}'" for name in named.shown)
    rest = f" {named.rest}" if named.rest else ""
    one = len(lost) == 1
    return [
        f"{'A file' if one else f'{len(lost):,} files'} that release {version} learned from, or was"
        f" watched on, {'is' if one else 'are'} gone from the source: {names}{rest}. The next "
        f"training learns without {'it' if one else 'them'}. Put back what was not meant to go."
    ]
