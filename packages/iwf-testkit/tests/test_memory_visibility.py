"""The index of the in-memory engine answers like a Temporal server: one list of queries, run on both."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import anyio
import msgspec
import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, SearchAttributes, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    ListWorkflowExecutionsRequest,
    PollWorkflowTaskQueueRequest,
    RequestCancelWorkflowExecutionRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client

from iwf_interpreter.core.attribute_values import EngineType, EngineValue, format_datetime
from iwf_interpreter.engine import EngineError, InvalidArgument
from iwf_interpreter.temporal import TemporalEngine, connect
from iwf_models import WorkflowStatus
from iwf_testkit import temporal_dev_server
from iwf_testkit.memory.visibility import Record, search

pytestmark = pytest.mark.anyio

TYPES: Mapping[str, EngineType] = {
    "K": "Keyword",
    "T": "Text",
    "I": "Int",
    "D": "Double",
    "B": "Bool",
    "At": "Datetime",
    "L": "KeywordList",
}

Attribute = str | int | float | bool | list[str]


class Run(msgspec.Struct, frozen=True):
    """A workflow of the data set; its task queue is `tq-` and its id."""

    id: str
    type: str
    status: WorkflowStatus
    attributes: Mapping[str, Attribute]
    history_length: int = 2


RUNNING = WorkflowStatus.RUNNING

RUNS = (
    Run(
        "a",
        "Order",
        RUNNING,
        {
            **{"K": "red", "T": "The quick brown Fox", "I": 1, "D": 1.5, "B": True},
            **{"At": "2024-01-01T00:00:00Z", "L": ["x", "y"]},
        },
    ),
    Run(
        "b",
        "Order",
        WorkflowStatus.COMPLETED,
        {
            **{"K": "Red", "T": "lazy dog", "I": 2, "D": -2.25, "B": False},
            **{"At": "2024-01-01T00:00:00.5Z", "L": ["y"]},
        },
        5,
    ),
    Run(
        "c",
        "Ship",
        WorkflowStatus.FAILED,
        {
            **{"K": "green", "T": "quick-witted, DOG!", "I": -3, "D": 0.0, "B": True},
            **{"At": "2024-01-02T03:04:05.123456789Z", "L": ["z z"]},
        },
        5,
    ),
    Run(
        "d",
        "Ship",
        WorkflowStatus.TERMINATED,
        {"K": "it's", "T": 'say "hi" O\'Neil café', "I": 2**53 + 1, "D": 1e10, "L": []},
        3,
    ),
    Run("e", "Ship", WorkflowStatus.CANCELED, {"K": "", "T": "x", "I": 0, "L": ["X", "a%b"]}, 6),
    Run("f%", "Order", WorkflowStatus.CONTINUED_AS_NEW, {"K": "a%b_c"}, 5),
    Run("g_1", "Retürn", WorkflowStatus.TIMEOUT, {"K": "back\\slash", "At": "1960-01-01T00:00:00Z"}, 3),
    Run("h", "Order", RUNNING, {}),
    Run(
        "i",
        "Order",
        RUNNING,
        {
            **{"K": "two\\\\back", "T": "red green-blue under_score a.b 42"},
            **{"At": "2024-01-01T00:00:00.123Z", "L": ["it's", 'say "hi"', "back\\slash"]},
        },
    ),
    Run(
        "j",
        "Order",
        RUNNING,
        {
            **{"K": 'say "hi"', "T": "CAFÉ über 日本語"},
            **{"At": "2024-06-01T12:00:00+02:00", "L": ["café", "one two three", "UP"]},
        },
    ),
    Run(
        "k",
        "Order",
        RUNNING,
        {
            **{"K": "line\nbreak", "T": "two two AND OR NOT near"},
            **{"At": "2024-01-02T03:04:05.1239999Z", "L": ["z"]},
        },
    ),
    Run("l", "Order", RUNNING, {"K": "éclair", "D": 3, "L": ["z", "z"]}),
)


def cases() -> Iterator[tuple[str, str]]:
    lines = Path(__file__).with_name("visibility_queries.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            query, expected = line.split(" =>")
            yield query, expected.strip()


class Index(msgspec.Struct, frozen=True):
    """An index that holds the data set."""

    search: Callable[[str], Awaitable[list[str]]]
    """Run ids of what matches."""
    names: Mapping[str, str]
    """What the list of queries calls a run, by run id: its workflow id, starred if it continued as new."""
    facts: Mapping[str, str]
    """What is only known when the runs are there, by the placeholder in a query."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["memory", "temporal"])
async def index(request: pytest.FixtureRequest) -> AsyncGenerator[Index]:
    if request.param == "memory":
        yield memory_index()
        return
    limits = {"frontend.namespaceRPS.visibility": 10_000, "frontend.namespaceBurst.visibility": 10_000}
    async with temporal_dev_server(search_attributes=TYPES, dynamic_config=limits) as server:
        yield await temporal_index(server.address)


@pytest.mark.parametrize(("query", "expected"), [pytest.param(*case, id=case[0]) for case in cases()])
async def test_query_finds_the_same_runs_in_the_same_order(index: Index, query: str, expected: str) -> None:
    query = re.sub(r"\{(\S+?)\}", lambda match: index.facts[match[1]], query).replace("␤", "\n")

    try:
        found = " ".join([index.names[run_id] for run_id in await index.search(query)])
    except InvalidArgument:
        found = "refused"
    except EngineError:
        found = "failed"

    assert found == expected


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        pytest.param("Nope = 1", "Nope", "", id="unknown-field"),
        pytest.param("I = 'seven'", "I", "'seven'", id="value-of-another-type"),
        pytest.param("I STARTS_WITH 7", "I", "7", id="operator-of-another-type"),
        pytest.param("B BETWEEN false AND true", "B", "False", id="range-of-another-type"),
        pytest.param("T = ('x', 'y')", "T", "'x'", id="several-values"),
        pytest.param("K = red", "K", "'red'", id="no-quotes"),
        pytest.param("K = ('red')", "K", "'red'", id="parentheses"),
        pytest.param("D = 1e999", "D", "'1e999'", id="too-large"),
        pytest.param("At > 'yesterday'", "At", "'yesterday'", id="no-time"),
        pytest.param("K IN ('a'", "K", "", id="ends-too-early"),
        pytest.param("ORDER BY Nope", "Nope", "", id="order-by-an-unknown-field"),
        pytest.param("ORDER BY T", "T", "Text", id="order-by-words"),
        pytest.param("(" * 200 + "K = 'a'" + ")" * 200, "", "100", id="too-deep"),
    ],
)
def test_refusal_names_field_and_value(query: str, field: str, value: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        search([], query, TYPES)

    assert field in str(refused.value)
    assert value in str(refused.value)


def memory_index() -> Index:
    records: list[Record] = []
    for number, run in enumerate(RUNS):
        started = 1_795_532_403_712_426_000 + number * 40_000_000
        length = 1_002_732_410 if run.status is WorkflowStatus.TIMEOUT else 20_477_708 + number
        ends = started if run.status is RUNNING else started + length
        record = Record(
            workflow_id=run.id,
            run_id=f"run of {run.id}",
            workflow_type=run.type,
            task_queue=f"tq-{run.id}",
            status=run.status,
            start_time_ns=started,
            execution_time_ns=started,
            close_time_ns=None if run.status is RUNNING else ends,
            history_length=run.history_length,
            search_attributes={
                name: EngineValue(TYPES[name], value) for name, value in run.attributes.items()
            },
        )
        records.append(record)
        if run.status is WorkflowStatus.CONTINUED_AS_NEW:
            following = {"run_id": "following run", "status": RUNNING, "start_time_ns": ends}
            records.append(
                msgspec.structs.replace(record, **following, execution_time_ns=ends, close_time_ns=None)
            )
    names = {
        record.run_id: _name(record.workflow_id, record.status is WorkflowStatus.CONTINUED_AS_NEW)
        for record in records
    }
    facts: dict[str, str] = {}
    for record in records:
        started, ends = record.start_time_ns, record.close_time_ns or 0
        facts |= _facts(names[record.run_id], record.run_id, started, ends, ends - started)

    async def found(query: str) -> list[str]:
        return [record.run_id for record in search(records, query, TYPES)]

    return Index(found, names, facts)


async def temporal_index(address: str) -> Index:
    client = await Client.connect(address)
    for run in RUNS:
        await _play(client, run)
    infos = await _all_listed(client)
    continued = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
    names = {
        info.execution.run_id: _name(info.execution.workflow_id, info.status == continued) for info in infos
    }
    facts: dict[str, str] = {}
    for info in infos:
        run_id, started, closed = info.execution.run_id, info.start_time, info.close_time
        times = (started, closed, info.execution_duration)
        facts |= _facts(names[run_id], run_id, *(time.ToNanoseconds() for time in times))
    engine = TemporalEngine(await connect(address, identity="test"), task_queue="none")

    async def found(query: str) -> list[str]:
        page = await engine.search(query, 100, b"")
        return [run_id for _, run_id in page.executions]

    return Index(found, names, facts)


def _name(workflow_id: str, continued_as_new: bool) -> str:
    return f"{workflow_id}*" if continued_as_new else workflow_id


def _facts(name: str, run_id: str, started_ns: int, closed_ns: int, lasted_ns: int) -> dict[str, str]:
    return {
        f"{name}.RunId": run_id,
        f"{name}.StartNs": str(started_ns),
        f"{name}.StartTime": format_datetime(started_ns),
        f"{name}.CloseTime": format_datetime(closed_ns),
        f"{name}.DurationNs": str(lasted_ns),
    }


async def _all_listed(client: Client) -> list[WorkflowExecutionInfo]:
    """Every run, once the index knows how each has ended; it lags."""
    request = ListWorkflowExecutionsRequest(namespace="default")
    open_at_the_end = 1 + sum(run.status is RUNNING for run in RUNS)
    with anyio.fail_after(20):
        while True:
            infos = list((await client.workflow_service.list_workflow_executions(request)).executions)
            still_open = [info for info in infos if not info.HasField("close_time")]
            if len(infos) == len(RUNS) + 1 and len(still_open) == open_at_the_end:
                return infos
            await anyio.sleep(0.05)


async def _play(client: Client, run: Run) -> None:
    """Start a run and, without a worker, bring it where it is to stand."""
    service = client.workflow_service
    workflow, queue = WorkflowExecution(workflow_id=run.id), TaskQueue(name=f"tq-{run.id}")
    request = StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=run.id,
        workflow_type=WorkflowType(name=run.type),
        task_queue=queue,
        request_id=str(uuid4()),
        search_attributes=_payloads(run),
    )
    if run.status is WorkflowStatus.TIMEOUT:
        request.workflow_run_timeout.FromSeconds(1)
    await service.start_workflow_execution(request)
    if run.status is WorkflowStatus.TERMINATED:
        await service.terminate_workflow_execution(
            TerminateWorkflowExecutionRequest(namespace="default", workflow_execution=workflow)
        )
    if run.status is WorkflowStatus.CANCELED:
        await service.request_cancel_workflow_execution(
            RequestCancelWorkflowExecutionRequest(namespace="default", workflow_execution=workflow)
        )
    command = _last_command(run, queue)
    if command is not None:
        task = await service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(namespace="default", task_queue=queue)
        )
        await service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(task_token=task.task_token, commands=[command])
        )


def _last_command(run: Run, queue: TaskQueue) -> Command | None:
    command = Command()
    match run.status:
        case WorkflowStatus.COMPLETED:
            command.command_type = CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION
            command.complete_workflow_execution_command_attributes.SetInParent()
        case WorkflowStatus.FAILED:
            command.command_type = CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION
            command.fail_workflow_execution_command_attributes.failure.CopyFrom(Failure(message="no"))
        case WorkflowStatus.CANCELED:
            command.command_type = CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION
            command.cancel_workflow_execution_command_attributes.SetInParent()
        case WorkflowStatus.CONTINUED_AS_NEW:
            command.command_type = CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION
            following = command.continue_as_new_workflow_execution_command_attributes
            following.workflow_type.name = run.type
            following.task_queue.CopyFrom(queue)
            following.search_attributes.CopyFrom(_payloads(run))
        case _:
            return None
    return command


def _payloads(run: Run) -> SearchAttributes:
    return SearchAttributes(
        indexed_fields={
            name: Payload(
                metadata={"encoding": b"json/plain", "type": TYPES[name].encode()},
                data=msgspec.json.encode(value),
            )
            for name, value in run.attributes.items()
        }
    )
