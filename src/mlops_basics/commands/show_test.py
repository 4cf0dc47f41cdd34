"""What a run has kept to itself: the figures of its challenger on the test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_basics.errors import ConfigurationError
from mlops_basics.runs import versions
from mlops_basics.runs.challenges import book_of, record_shown
from mlops_basics.runs.find import find_run, manifest_of
from mlops_basics.runs.session import Place
from mlops_basics.runs.tracking import MLFLOW, Tracking
from mlops_basics.schemas import Challenge, ChallengeRequest, Decision, Metrics

if TYPE_CHECKING:
    from rich.console import Group

_NEEDED = ("test_metrics", "decision", "challenge_request", "challenge")


@dataclass(frozen=True)
class RecordedFigures:
    """What the test rows say of a run's challenger.

    Attributes:
        run_id: The run's version.
        uses: How often the rows have been used against its champion, this time included; None where
            the run showed these figures itself.
    """

    run_id: str
    metrics: Metrics
    decision: Decision
    uses: int | None

    def in_words(self) -> Group:
        """Metrics with their intervals, the decision with all its figures, and what it has cost."""
        from mlops_basics.reporting.terminal import figures_on_demand

        return figures_on_demand(self.run_id, self.metrics, self.decision, self.uses)


def show_test(place: Place, run_id: str) -> RecordedFigures:
    """The figures of a run's challenger on the test rows; a refused one's are written down first.

    Args:
        place: Which model, in which project.
        run_id: Id of the MLflow run, the beginning of it, or version of the run (its time).

    Raises:
        ConfigurationError: If there is no such run, or it has compared nothing.
    """
    return recorded_figures(place.catalog(), run_id)  # which points MLflow at the server


def recorded_figures(
    catalog: versions.Catalog, run_id: str, server: Tracking = MLFLOW
) -> RecordedFigures:
    """The same of a catalog's model.

    Args:
        catalog: Its data sets are pinned in place.
        run_id: As above.
        server: Where the run was recorded.
    """
    release: Any = catalog.get("release")
    model_name = str(release.store.model_name)
    manifest = manifest_of(find_run(model_name, run_id, server), model_name, server)
    for name in _NEEDED:
        made = manifest.datasets.get(name)
        if made is None or made.access != "written":
            raise ConfigurationError(
                f"The run {manifest.run_id} ({', '.join(manifest.pipelines)}) has compared nothing "
                f"(it made no '{name}'). Name a run of the whole loop."
            )
    metrics, decision, request, challenge = (
        versions.load_of(catalog, name, manifest.datasets[name].version) for name in _NEEDED
    )
    assert isinstance(request, ChallengeRequest)  # noqa: S101 (what the catalog declares)
    assert isinstance(challenge, Challenge)  # noqa: S101
    uses = None
    if decision.withheld:
        book, champion = release.store.challenges, challenge.champion_version
        before = book.entries(champion)
        shown = record_shown(request, challenge, book_of(model_name), server)
        book.count(shown, before)  # where it cannot be taken back
        uses = max(shown.challenge.number, len(book.entries(champion)))
    return RecordedFigures(manifest.run_id, metrics, decision, uses)
