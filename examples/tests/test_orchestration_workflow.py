"""The orchestration workflow's answers to the calls of an iWF server, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from examples.orchestration.services import Services
from examples.orchestration.workflow import orchestration_registry
from examples.sdk_worker import serving, worker_app

CONTEXT = {"workflowId": "order-1", "workflowRunId": "run", "workflowStartedTimestamp": 1700000000}


class Worker:
    """The worker under test, called as a server calls it."""

    def __init__(self, url: str, services: Services) -> None:
        self.url = url
        self.services = services

    def call(self, path: str, **fields: object) -> dict[str, Any]:
        response = httpx.post(
            f"{self.url}/api/v1/{path}", json={"workflowType": "OrchestrationWorkflow", **fields}
        )
        assert response.status_code == 200, response.text
        return response.json()

    def execute(self, state: str, **fields: object) -> dict[str, Any]:
        context = {**CONTEXT, "stateExecutionId": f"{state}-1", "attempt": 1, "firstAttemptTimestamp": 1}
        return self.call("workflowState/decide", workflowStateId=state, context=context, **fields)

    def rpc(self, name: str, **fields: object) -> dict[str, Any]:
        return self.call(
            "workflowWorker/rpc",
            rpcName=name,
            context=CONTEXT,
            signalChannelInfos={},
            internalChannelInfos={},
            **fields,
        )


@pytest.fixture
def worker() -> Iterator[Worker]:
    services = Services(lambda text: None)
    registry = orchestration_registry(services, timeout_seconds=30)
    with serving(worker_app(registry, lambda text: None)) as url:
        yield Worker(url, services)


def encoded(value: object) -> dict[str, str]:
    return {"encoding": "json/plain", "data": json.dumps(value, separators=(",", ":"), sort_keys=True)}


def attributes(**values: object) -> list[dict[str, object]]:
    return [{"key": key, "value": encoded(value)} for key, value in values.items()]


def command_results(*, signal: str, timer: str) -> dict[str, object]:
    received: dict[str, object] = {"signalValue": {}} if signal == "RECEIVED" else {}
    return {
        "timerResults": [{"commandId": "", "timerStatus": timer}],
        "signalResults": [
            {"commandId": "", "signalRequestStatus": signal, "signalChannelName": "ready", **received}
        ],
        "stateWaitUntilFailed": False,
        "stateStartApiSucceeded": True,
    }


def test_api1_starts_two_threads(worker: Worker) -> None:
    answer = worker.execute("CallApi1", stateInput=encoded("order"))

    assert answer["stateDecision"] == {
        "nextStates": [
            {"stateId": "CallApi2", "stateOptions": {"skipWaitUntil": True}},
            {"stateId": "AwaitReady", "stateOptions": {}},
        ]
    }
    assert answer["upsertDataObjects"] == attributes(data="API1 of order", stage="waiting")
    assert worker.services.calls == [("API1", "order")]


def test_api2_ends_its_thread(worker: Worker) -> None:
    answer = worker.execute("CallApi2", DataObjects=attributes(data="something"))

    assert answer["stateDecision"] == {"nextStates": [{"stateId": "_SYS_DEAD_END"}]}
    assert worker.services.calls == [("API2", "something")]


def test_await_ready_waits_for_the_signal_or_the_timer(worker: Worker) -> None:
    answer = worker.call(
        "workflowState/start",
        workflowStateId="AwaitReady",
        context={**CONTEXT, "stateExecutionId": "AwaitReady-1", "attempt": 1, "firstAttemptTimestamp": 1},
    )

    assert answer["commandRequest"] == {
        "commandWaitingType": "ANY_COMPLETED",
        "timerCommands": [{"commandId": "", "durationSeconds": 30}],
        "signalCommands": [{"commandId": "", "signalChannelName": "ready"}],
    }


@pytest.mark.parametrize(
    ("signal", "timer", "next_state", "stage"),
    [
        pytest.param("RECEIVED", "SCHEDULED", "CallApi3", "ready", id="signal"),
        pytest.param("WAITING", "FIRED", "CallApi4", "timed out", id="timer"),
        pytest.param("RECEIVED", "FIRED", "CallApi3", "ready", id="both"),
    ],
)
def test_await_ready_chooses_the_way(
    worker: Worker, signal: str, timer: str, next_state: str, stage: str
) -> None:
    answer = worker.execute("AwaitReady", commandResults=command_results(signal=signal, timer=timer))

    assert answer["stateDecision"] == {
        "nextStates": [{"stateId": next_state, "stateOptions": {"skipWaitUntil": True}}]
    }
    assert answer["upsertDataObjects"] == attributes(stage=stage)


@pytest.mark.parametrize("api", ["3", "4"])
def test_last_call_completes_the_workflow(worker: Worker, api: str) -> None:
    answer = worker.execute(f"CallApi{api}", DataObjects=attributes(data="something"))

    assert answer["stateDecision"] == {
        "nextStates": [
            {
                "stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW",
                "stateInput": encoded(f"API{api} of something"),
            }
        ]
    }
    assert worker.services.calls == [(f"API{api}", "something")]


def test_rpc_swap_replaces_the_data(worker: Worker) -> None:
    answer = worker.rpc("swap", input=encoded("new"), dataAttributes=attributes(data="old", stage="waiting"))

    assert answer == {"output": encoded("old"), "upsertDataAttributes": attributes(data="new")}


@pytest.mark.parametrize(
    ("stored", "answered"),
    [
        pytest.param({}, {"data": None, "stage": None}, id="before-api1"),
        pytest.param(
            {"data": "x", "stage": "waiting"}, {"data": "x", "stage": "waiting"}, id="while-it-waits"
        ),
    ],
)
def test_rpc_describe_reads_and_writes_nothing(
    worker: Worker, stored: dict[str, object], answered: dict[str, object]
) -> None:
    answer = worker.rpc("describe", dataAttributes=attributes(**stored))

    assert answer == {"output": encoded(answered)}
