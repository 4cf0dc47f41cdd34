"""Types of the parameter sections and of the small JSON artifacts that nodes exchange.

Parameter sections forbid unknown keys: a misspelt parameter is an error, never a silent default.
"""

from .base import Artifact, Section
from .decision import NO_CHAMPION, Challenge, ChallengeRequest, Champion, Decision, GuardResult
from .model import ESTIMATOR_STEP, Estimate, FittedModel, Metrics, Model, OverfitCheck, SearchReport
from .parameters import (
    PARAMETER_SECTIONS,
    Candidate,
    CollectionParams,
    DecisionParams,
    EvaluationParams,
    PreprocessingParams,
    SearchRange,
    SplitParams,
    TestedMetric,
    TrainingParams,
)
from .release import (
    FileRecord,
    LedgerEntry,
    Pointer,
    RegisteredVersion,
    Registration,
    Release,
    ReleaseManifest,
    ReleaseState,
)
from .run import Code, DataVersion, Manifest, ModelRecord, RunContext
from .table import (
    BATCH_COLUMN,
    RESERVED_COLUMNS,
    ROW_HASH_COLUMN,
    Batch,
    BatchRecord,
    CollectionReport,
    Hashes,
    SplitReport,
    TableInfo,
    Task,
)

__all__ = [
    "BATCH_COLUMN",
    "ESTIMATOR_STEP",
    "NO_CHAMPION",
    "PARAMETER_SECTIONS",
    "RESERVED_COLUMNS",
    "ROW_HASH_COLUMN",
    "Artifact",
    "Batch",
    "BatchRecord",
    "Candidate",
    "Challenge",
    "ChallengeRequest",
    "Champion",
    "Code",
    "CollectionParams",
    "CollectionReport",
    "DataVersion",
    "Decision",
    "DecisionParams",
    "Estimate",
    "EvaluationParams",
    "FileRecord",
    "FittedModel",
    "GuardResult",
    "Hashes",
    "LedgerEntry",
    "Manifest",
    "Metrics",
    "Model",
    "ModelRecord",
    "OverfitCheck",
    "Pointer",
    "PreprocessingParams",
    "RegisteredVersion",
    "Registration",
    "Release",
    "ReleaseManifest",
    "ReleaseState",
    "RunContext",
    "SearchRange",
    "SearchReport",
    "Section",
    "SplitParams",
    "SplitReport",
    "TableInfo",
    "Task",
    "TestedMetric",
    "TrainingParams",
]
