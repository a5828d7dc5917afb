"""The runs as the index shows them, and the fields that a query may name.

Fields of Temporal that have no value in a run of iWF exist, and are missing in each run. What a run has
there and this engine does not know (`HistorySizeBytes`, `StateTransitionCount`, `BuildIds`) is refused like
an unknown name.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.engine import InvalidArgument
from iwf_models import WorkflowStatus
from iwf_testkit.memory.index_values import (
    STATUS_NUMBERS,
    FieldType,
    attribute_time_text,
    folded,
    time_text,
    words,
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run as the index shows it."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: WorkflowStatus
    start_time_ns: int
    execution_time_ns: int
    """When its first task was due, which a delay or a schedule puts behind its start."""
    close_time_ns: int | None = None
    history_length: int = 0
    search_attributes: Mapping[str, EngineValue]


class Field(msgspec.Struct, frozen=True):
    """What a query compares."""

    name: str
    type: FieldType
    read: Callable[[Record], Any]
    """The value in the index's form, `None` when missing."""


def find_field(name: str, types: Mapping[str, str]) -> Field:
    """The field of a name, for which `Temporal` at its beginning may be left out.

    Args:
        name: As the query has it.
        types: The engine's type by name of each custom attribute.

    Raises:
        InvalidArgument: There is none.
    """
    type_ = types.get(name)
    if type_ is not None:
        return Field(name, cast(FieldType, type_), _attribute(name, type_))
    known = _FIELDS.get(name) or _FIELDS.get(f"Temporal{name}")
    if known is None:
        raise InvalidArgument(f"invalid query: there is no search attribute {name!r}")
    return Field(name, *known)


def _missing(record: Record) -> None:
    return None


def _duration(record: Record) -> int | None:
    return None if record.close_time_ns is None else record.close_time_ns - record.execution_time_ns


_FIELDS: Mapping[str, tuple[FieldType, Callable[[Record], Any]]] = {
    "WorkflowId": ("Keyword", lambda record: record.workflow_id),
    "RunId": ("Keyword", lambda record: record.run_id),
    "WorkflowType": ("Keyword", lambda record: record.workflow_type),
    "TaskQueue": ("Keyword", lambda record: record.task_queue),
    "ExecutionStatus": ("Status", lambda record: STATUS_NUMBERS[record.status]),
    "StartTime": ("Datetime", lambda record: time_text(record.start_time_ns)),
    "ExecutionTime": ("Datetime", lambda record: time_text(record.execution_time_ns)),
    "CloseTime": (
        "Datetime",
        lambda record: None if record.close_time_ns is None else time_text(record.close_time_ns),
    ),
    "ExecutionDuration": ("Duration", _duration),
    "HistoryLength": (
        "Int",
        lambda record: None if record.close_time_ns is None else record.history_length,
    ),
    "RootWorkflowId": ("Keyword", lambda record: record.workflow_id),
    "RootRunId": ("Keyword", lambda record: record.run_id),
    "ScheduleId": ("Keyword", lambda record: record.workflow_id),
    "ParentWorkflowId": ("Keyword", _missing),
    "ParentRunId": ("Keyword", _missing),
    "BatcherUser": ("Keyword", _missing),
    "BinaryChecksums": ("KeywordList", _missing),
    "TemporalChangeVersion": ("KeywordList", _missing),
    "TemporalExternalPayloadCount": ("Int", _missing),
    "TemporalExternalPayloadSizeBytes": ("Int", _missing),
    "TemporalNamespaceDivision": ("Keyword", _missing),
    "TemporalPauseInfo": ("KeywordList", _missing),
    "TemporalReportedProblems": ("KeywordList", _missing),
    "TemporalScheduledById": ("Keyword", _missing),
    "TemporalSchedulePaused": ("Bool", _missing),
    "TemporalScheduledStartTime": ("Datetime", _missing),
    "TemporalUsedWorkerDeploymentVersions": ("KeywordList", _missing),
    "TemporalWorkerDeployment": ("Keyword", _missing),
    "TemporalWorkerDeploymentVersion": ("Keyword", _missing),
    "TemporalWorkflowVersioningBehavior": ("Keyword", _missing),
}

_INDEXED: Mapping[str, Callable[[Any], Any]] = {
    "Datetime": attribute_time_text,
    "Text": words,
    "KeywordList": lambda elements: frozenset(map(folded, elements)) or None,
}
"""How the index holds a custom attribute, where it does not hold the value as it is."""


def _attribute(name: str, type_: str) -> Callable[[Record], Any]:
    indexed = _INDEXED.get(type_)

    def read(record: Record) -> Any:
        held = record.search_attributes.get(name)
        if held is None:
            return None
        return indexed(held.value) if indexed else held.value

    return read
