"""`ORDER BY` in the index of runs in memory. Temporal refuses it on an SQL database: nothing to compare."""

import pytest

from iwf_interpreter.core.attribute_values import EngineValue
from iwf_models import WorkflowStatus
from iwf_testkit.memory.visibility import Record, search

TYPES = {"I": "Int"}


@pytest.mark.parametrize(
    ("query", "begin"),
    [
        pytest.param("I IS NOT NULL ORDER BY I", "ascending", id="ascending"),
        pytest.param("I IS NOT NULL ORDER BY I ASC", "ascending", id="said"),
        pytest.param("I IS NOT NULL order by I desc", "descending", id="descending"),
    ],
)
def test_memory_orders_by_a_field(query: str, begin: str) -> None:
    records = [record(number) for number in (3, 1, None, 2)]

    found = [each.workflow_id for each in search(records, query, TYPES)]

    assert found == (["1", "2", "3"] if begin == "ascending" else ["3", "2", "1"])


def test_records_without_the_field_come_last_whatever_the_direction() -> None:
    records = [record(number) for number in (3, None, 1)]

    for direction, expected in (("ASC", ["1", "3", "None"]), ("DESC", ["3", "1", "None"])):
        found = search(records, f"ORDER BY I {direction}, WorkflowId", TYPES)
        assert [each.workflow_id for each in found] == expected


def record(number: int | None) -> Record:
    """A run with this number, or without one."""
    return Record(
        workflow_id=str(number),
        run_id=str(number),
        workflow_type="T",
        task_queue="q",
        status=WorkflowStatus.RUNNING,
        start_time_ns=0,
        execution_time_ns=0,
        search_attributes={} if number is None else {"I": EngineValue("Int", number)},
    )
