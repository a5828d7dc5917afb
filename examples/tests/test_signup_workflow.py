"""The sign-up workflow's answers to the calls of an iWF server, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from examples.sdk_worker import serving, worker_app
from examples.signup.mail import Mail, Outbox
from examples.signup.workflow import REMINDER, VERIFICATION, WELCOME, signup_registry

FORM = {"username": "alice", "email": "alice@example.com"}


class Worker:
    """The worker under test, called as a server calls it."""

    def __init__(self, url: str, outbox: Outbox, said: list[str]) -> None:
        self.url = url
        self.outbox = outbox
        self.said = said

    def call(self, path: str, **fields: object) -> dict[str, Any]:
        response = httpx.post(f"{self.url}/api/v1/{path}", json={"workflowType": "SignupWorkflow", **fields})
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def worker() -> Iterator[Worker]:
    said: list[str] = []
    outbox = Outbox(said.append)
    registry = signup_registry(outbox, remind_after_seconds=60)
    with serving(worker_app(registry, said.append)) as url:
        yield Worker(url, outbox, said)


def context(state_execution_id: str) -> dict[str, object]:
    return {
        "workflowId": "signup-alice",
        "workflowRunId": "run",
        "workflowStartedTimestamp": 1700000000,
        "stateExecutionId": state_execution_id,
        "attempt": 1,
        "firstAttemptTimestamp": 1700000001,
    }


def encoded(value: object) -> dict[str, str]:
    return {"encoding": "json/plain", "data": json.dumps(value, separators=(",", ":"), sort_keys=True)}


def attributes(**values: object) -> list[dict[str, object]]:
    return [{"key": key, "value": encoded(value)} for key, value in values.items()]


def command_results(*, channel: str, timer: str) -> dict[str, object]:
    return {
        "timerResults": [{"commandId": "", "timerStatus": timer}],
        "interStateChannelResults": [{"commandId": "", "requestStatus": channel, "channelName": "verified"}],
        "stateWaitUntilFailed": False,
        "stateStartApiSucceeded": True,
    }


def test_submit_keeps_the_form_and_asks_for_verification(worker: Worker) -> None:
    answer = worker.call(
        "workflowState/decide",
        workflowStateId="SubmitState",
        context=context("SubmitState-1"),
        stateInput=encoded(FORM),
    )

    assert answer["stateDecision"] == {"nextStates": [{"stateId": "VerifyState", "stateOptions": {}}]}
    assert answer["upsertDataObjects"] == attributes(form=FORM, status="waiting", reminders=0)
    assert worker.outbox.sent == [Mail("run-SubmitState-1", "alice@example.com", VERIFICATION)]
    assert worker.said == [
        "worker call: execute of SubmitState-1",
        f"e-mail to alice@example.com: {VERIFICATION}",
    ]


def test_verify_waits_for_the_channel_or_the_timer(worker: Worker) -> None:
    answer = worker.call(
        "workflowState/start", workflowStateId="VerifyState", context=context("VerifyState-1")
    )

    assert answer["commandRequest"] == {
        "commandWaitingType": "ANY_COMPLETED",
        "timerCommands": [{"commandId": "", "durationSeconds": 60}],
        "interStateChannelCommands": [{"commandId": "", "channelName": "verified"}],
    }


def test_verify_reminds_and_waits_again_when_the_timer_fires(worker: Worker) -> None:
    answer = worker.call(
        "workflowState/decide",
        workflowStateId="VerifyState",
        context=context("VerifyState-2"),
        DataObjects=attributes(form=FORM, status="waiting", reminders=1),
        commandResults=command_results(channel="WAITING", timer="FIRED"),
    )

    assert answer["stateDecision"] == {"nextStates": [{"stateId": "VerifyState", "stateOptions": {}}]}
    assert answer["upsertDataObjects"] == attributes(reminders=2)
    assert worker.outbox.sent == [Mail("run-VerifyState-2", "alice@example.com", REMINDER)]


def test_verify_welcomes_and_completes_when_the_message_is_there(worker: Worker) -> None:
    answer = worker.call(
        "workflowState/decide",
        workflowStateId="VerifyState",
        context=context("VerifyState-3"),
        DataObjects=attributes(form=FORM, status="verified", reminders=2),
        commandResults=command_results(channel="RECEIVED", timer="SCHEDULED"),
    )

    assert answer["stateDecision"] == {
        "nextStates": [
            {"stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW", "stateInput": encoded("alice has signed up")}
        ]
    }
    assert worker.outbox.sent == [Mail("run-VerifyState-3", "alice@example.com", WELCOME)]


def test_repeated_call_sends_its_mail_once(worker: Worker) -> None:
    for attempt in (1, 2):
        worker.call(
            "workflowState/decide",
            workflowStateId="SubmitState",
            context={**context("SubmitState-1"), "attempt": attempt},
            stateInput=encoded(FORM),
        )

    assert len(worker.outbox.sent) == 1


@pytest.mark.parametrize(
    ("status", "answered", "written"),
    [
        pytest.param(
            "waiting",
            "done",
            {
                "upsertDataAttributes": attributes(status="verified"),
                "publishToInterStateChannel": [{"channelName": "verified"}],
            },
            id="first",
        ),
        pytest.param("verified", "already verified", {}, id="second"),
    ],
)
def test_rpc_verify_publishes_once(
    worker: Worker, status: str, answered: str, written: dict[str, object]
) -> None:
    answer = worker.call(
        "workflowWorker/rpc",
        rpcName="verify",
        context={key: value for key, value in context("").items() if key.startswith("workflow")},
        dataAttributes=attributes(form=FORM, status=status, reminders=0),
        signalChannelInfos={},
        internalChannelInfos={},
    )

    assert answer == {"output": encoded(answered), **written}


def test_rpc_describe_reads_and_writes_nothing(worker: Worker) -> None:
    answer = worker.call(
        "workflowWorker/rpc",
        rpcName="describe",
        context={key: value for key, value in context("").items() if key.startswith("workflow")},
        dataAttributes=attributes(form=FORM, status="waiting", reminders=3),
        signalChannelInfos={},
        internalChannelInfos={},
    )

    assert answer == {"output": encoded({"email": FORM["email"], "status": "waiting", "reminders": 3})}


def test_failing_workflow_code_is_a_worker_error(worker: Worker) -> None:
    response = httpx.post(
        f"{worker.url}/api/v1/workflowState/decide",
        json={
            "workflowType": "SignupWorkflow",
            "workflowStateId": "NoSuchState",
            "context": context("NoSuchState-1"),
        },
    )

    assert response.status_code == 500
    assert response.json()["errorType"] == "InvalidArgumentError"
    assert response.json()["detail"].startswith(
        "workflow SignupWorkflow state NoSuchState is not registered\n"
    )
    assert worker.said == [
        "worker call: execute of NoSuchState-1",
        "worker call failed: InvalidArgumentError("
        "'workflow SignupWorkflow state NoSuchState is not registered')",
    ]
