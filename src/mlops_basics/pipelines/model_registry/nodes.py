"""Nodes of the model_registry pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlops_basics.schemas import (
    CollectionReport,
    Decision,
    ModelRecord,
    MonitoringReference,
    Recipe,
    Registration,
    TableInfo,
)


def request_registration(
    decision: Decision,
    model_record: ModelRecord,
    recipe: Recipe,
    table_info: TableInfo,
    collection_report: CollectionReport,
    fitted_rows: pd.DataFrame,
    reference: pd.DataFrame,
    reference_profile: dict[str, Any],
    reference_losses: pd.DataFrame,
    monitoring_reference: MonitoringReference,
) -> Registration:
    """Put together what a version needs: the decision, and what its release holds beside the model.

    Returns:
        The registration; whether anything is registered follows from its decision alone.
    """
    return Registration(
        decision=decision,
        record=model_record,
        files={
            "decision": decision,
            "model_record": model_record,
            "recipe": recipe,
            "table_info": table_info,
            "collection_report": collection_report,
            "fitted_rows": fitted_rows,
            "reference": reference,
            "reference_profile": reference_profile,
            "reference_losses": reference_losses,
            "monitoring_reference": monitoring_reference,
        },
    )
