"""The engine in memory, where it is not shown by the suites that run on every engine."""

import logging
from datetime import UTC, datetime

import anyio
import httpx
import pytest

from iwf_interpreter.contract import QueryType
from iwf_interpreter.core import Command, Interpreter
from iwf_interpreter.engine import EngineError, QueryFailed, WaitTimedOut
from iwf_models import EventType, IwfEvent
from iwf_testkit import Answer, FakeWorker, go_to, graceful_complete, memory_server, wait_for
from memory_stage import Stage, on_memory

DAY = 24 * 3600


def test_timer_of_a_week_fires_when_somebody_waits_for_it() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(timers=(7 * DAY,)))
        stage.worker.script("S1.execute", graceful_complete("done"))
        await stage.start()

        assert (await stage.ended())["workflowStatus"] == "COMPLETED"
        assert anyio.current_time() == pytest.approx(7 * DAY, abs=2)

    on_memory(test)


def test_wait_ends_at_its_own_deadline_and_not_at_a_later_timer() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(timers=(DAY,)))
        await stage.start()

        status, _ = await stage.post("getWithWait", workflowId="w", waitTimeSeconds=5)

        assert status == 420
        assert 4 < anyio.current_time() <= 5

    on_memory(test)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        pytest.param("30 4 * * *", "04:30", id="five-fields"),
        pytest.param("@daily", "00:00", id="name"),
    ],
)
def test_cron_runs_at_the_times_of_its_schedule(schedule: str, due: str) -> None:
    async def test(stage: Stage) -> None:
        await stage.start(workflowStartOptions={"cronSchedule": schedule})

        calls = await stage.worker.wait_for_calls("S1.execute", 3, timeout_seconds=4 * DAY)

        times = [call.request.context.first_attempt_timestamp for call in calls]
        assert all(time is not None for time in times)
        assert [datetime.fromtimestamp(time or 0, UTC).strftime("%H:%M") for time in times] == [due] * 3
        assert len({call.request.context.workflow_run_id for call in calls}) == 3

    on_memory(test)


def test_every_recurrence_has_the_same_distance() -> None:
    async def test(stage: Stage) -> None:
        await stage.start(workflowStartOptions={"cronSchedule": "@every 1h30m"})

        calls = await stage.worker.wait_for_calls("S1.execute", 3, timeout_seconds=DAY)

        first, second, third = (call.request.context.first_attempt_timestamp or 0 for call in calls)
        assert (second - first, third - second) == (5400, 5400)

    on_memory(test)


@pytest.mark.parametrize("schedule", ["* * * *", "61 * * * *", "@every 0s", "@every soon", "@sometimes"])
def test_start_refuses_a_schedule_that_makes_no_sense(schedule: str) -> None:
    async def test(stage: Stage) -> None:
        status, answer = await stage.post(
            "start",
            workflowId="w",
            iwfWorkflowType="Test",
            iwfWorkerUrl=stage.worker.url,
            workflowTimeoutSeconds=0,
            workflowStartOptions={"cronSchedule": schedule},
        )

        assert status == 400
        assert schedule in answer["detail"]
        assert (await stage.post("get", workflowId="w"))[0] == 400

    on_memory(test)


def test_failed_workflow_is_tried_again_with_growing_pauses() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.execute", go_to("_SYS_FORCE_FAILING_WORKFLOW"))
        policy = {"initialIntervalSeconds": 10, "backoffCoefficient": 3, "maximumAttempts": 3}
        await stage.start(workflowStartOptions={"retryPolicy": policy})

        assert (await stage.ended())["workflowStatus"] == "FAILED"

        calls = stage.worker.calls_of("S1.execute")
        first, second, third = (call.request.context.first_attempt_timestamp or 0 for call in calls)
        assert (second - first, third - second) == (10, 30)

    on_memory(test)


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        pytest.param({"backoffCoefficient": 0.5}, "backoffCoefficient", id="coefficient"),
        pytest.param(
            {"initialIntervalSeconds": 9, "maximumIntervalSeconds": 3}, "maximumInterval", id="interval"
        ),
    ],
)
def test_start_refuses_a_retry_policy_that_engines_refuse(policy: dict[str, object], named: str) -> None:
    async def test(stage: Stage) -> None:
        status, answer = await stage.post(
            "start",
            workflowId="w",
            iwfWorkflowType="Test",
            iwfWorkerUrl=stage.worker.url,
            workflowTimeoutSeconds=0,
            workflowStartOptions={"retryPolicy": policy},
        )

        assert status == 400
        assert named in answer["detail"]

    on_memory(test)


def test_attempts_of_a_call_pause_as_the_policy_says_and_give_up_in_time() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.execute", Answer(status=500, text="no"))
        policy = {"initialIntervalSeconds": 1, "backoffCoefficient": 2, "maximumAttemptsDurationSeconds": 20}
        await stage.start(stateOptions={"executeApiRetryPolicy": policy})

        ended = await stage.ended()

        # At 0, 1, 3, 7 and 15 seconds; the next one would be at 31.
        attempts = [call.request.context.attempt for call in stage.worker.calls_of("S1.execute")]
        assert attempts == [1, 2, 3, 4, 5]
        assert ended["errorMessage"].startswith("statusCode: 500, responseBody: no, errMsg: ")
        assert anyio.current_time() == pytest.approx(15, abs=2)

    on_memory(test)


def test_pauses_stay_within_their_limit_whatever_the_coefficient() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.execute", *[Answer(status=500)] * 3, graceful_complete())
        policy = {"backoffCoefficient": 1e300, "maximumIntervalSeconds": 7}
        await stage.start(stateOptions={"executeApiRetryPolicy": policy})

        assert (await stage.ended())["workflowStatus"] == "COMPLETED"
        assert anyio.current_time() == pytest.approx(1 + 7 + 7, abs=2)

    on_memory(test)


def test_attempt_that_runs_out_of_time_leaves_the_word_to_the_failure_before() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.execute", Answer(status=500, text="no"), Answer(gate=anyio.Event()))
        await stage.start(
            stateOptions={"executeApiTimeoutSeconds": 5, "executeApiRetryPolicy": {"maximumAttempts": 2}}
        )

        assert (await stage.ended())["errorMessage"].startswith("statusCode: 500, responseBody: no")

    on_memory(test)


def test_attempt_that_runs_out_of_time_says_so_with_the_words_that_clients_know() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.execute", Answer(gate=anyio.Event()))
        await stage.start(
            stateOptions={"executeApiTimeoutSeconds": 5, "executeApiRetryPolicy": {"maximumAttempts": 1}}
        )

        text = (await stage.ended())["errorMessage"]

        assert text.startswith("activity error ")
        assert "activity StartToClose timeout" in text

    on_memory(test)


def test_workflow_ends_when_its_time_is_over() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(signals=("never",)))
        await stage.start(workflowTimeoutSeconds=3 * DAY)

        assert (await stage.ended())["workflowStatus"] == "TIMEOUT"
        assert anyio.current_time() == pytest.approx(3 * DAY, abs=2)

    on_memory(test)


def test_search_goes_page_by_page_through_all_runs() -> None:
    async def test(stage: Stage) -> None:
        for number in range(5):
            await stage.start(
                f"w{number}",
                workflowStartOptions={
                    "searchAttributes": [{"key": "Size", "valueType": "INT", "integerValue": number}]
                },
            )
        found: list[str] = []
        token = ""
        while True:
            page = await stage.ok("search", query="Size >= 1 ORDER BY Size", pageSize=2, nextPageToken=token)
            found += [each["workflowId"] for each in page["workflowExecutions"]]
            token = page["nextPageToken"]
            if not token:
                break

        assert found == ["w1", "w2", "w3", "w4"]

    on_memory(test, search_attributes={"Size": "Int"})


def test_workflow_in_memory_mode_keeps_its_data_in_the_memo() -> None:
    async def test(stage: Stage) -> None:
        options = {"useMemoForDataAttributes": True, "dataAttributes": [{"key": "a", "value": {"data": "1"}}]}
        stage.worker.script("S1.waitUntil", wait_for(signals=("go",)))
        await stage.start(workflowStartOptions=options)
        await stage.ok("dataobjects/set", workflowId="w", objects=[{"key": "b", "value": {"data": "2"}}])

        answer = await stage.ok("dataobjects/get", workflowId="w", useMemoForDataAttributes=True)

        assert answer["objects"] == [
            {"key": "a", "value": {"data": "1"}},
            {"key": "b", "value": {"data": "2"}},
        ]

    on_memory(test)


def test_state_of_many_pages_is_taken_over_by_the_next_run() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(signals=("go",)))
        stage.worker.script("S1.execute", graceful_complete("done"))
        config = {"continueAsNewPageSizeInBytes": 500}
        # Text that does not compress.
        data = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(3000))
        attributes = [{"key": "big", "value": {"data": data}}]
        first = await stage.start(
            workflowStartOptions={"workflowConfigOverride": config, "dataAttributes": attributes}
        )
        await stage.worker.wait_for_calls("S1.waitUntil")

        await stage.ok("triggerContinueAsNew", workflowId="w")
        while (await stage.ok("get", workflowId="w"))["workflowRunId"] == first:
            await anyio.sleep(1)
        answer = await stage.ok("dataobjects/get", workflowId="w")
        await stage.ok("signal", workflowId="w", signalChannelName="go")

        assert answer["objects"] == attributes
        assert (await stage.ended())["workflowStatus"] == "COMPLETED"
        assert len(stage.worker.calls_of("S1.waitUntil")) == 1

    on_memory(test)


def test_bug_of_the_core_suspends_the_run_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(signals=("go",)))
        await stage.start()
        await stage.start("other")
        await stage.worker.wait_for_calls("S1.waitUntil", 2)
        with monkeypatch.context() as patch:
            patch.setattr(Interpreter, "settle", broken_settle)
            await stage.ok("signal", workflowId="w", signalChannelName="go")

        with pytest.raises(QueryFailed, match="suspended"):
            await stage.server.engine.query("w", "", QueryType.DEBUG_DUMP, None, object, 10)
        status, _ = await stage.post(
            "rpc",
            workflowId="w",
            rpcName="R",
            timeoutSeconds=5,
            dataAttributesLoadingPolicy={"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK"},
        )
        assert status == 420
        assert (await stage.ok("get", workflowId="w"))["workflowStatus"] == "RUNNING"
        await stage.ok("signal", workflowId="other", signalChannelName="go")
        assert (await stage.ended("other"))["workflowStatus"] == "COMPLETED"

    caplog.set_level(logging.CRITICAL)
    on_memory(test)


def broken_settle(core: Interpreter, now_ms: int) -> list[Command]:
    raise ZeroDivisionError


def test_update_that_nobody_answers_is_waited_for_no_longer_than_asked() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(signals=("go",)))
        await stage.start()
        await stage.worker.wait_for_calls("S1.waitUntil")

        status, _ = await stage.post(
            "waitForStateCompletion", workflowId="w", stateExecutionId="S1-1", waitTimeSeconds=30
        )

        assert status == 420
        assert 29 < anyio.current_time() <= 31

    on_memory(test)


def test_observer_is_told_what_happens() -> None:
    told: list[IwfEvent] = []

    class Listener:
        def on_event(self, event: IwfEvent) -> None:
            told.append(event)

    async def main() -> None:
        async with memory_server(observer=Listener()) as server, FakeWorker() as worker:
            stage = Stage(server, worker)
            await stage.start()
            await stage.ended()

    anyio.run(main)

    kinds = [event.event_type for event in told]
    assert kinds[0] is EventType.WORKFLOW_START_EVENT
    assert kinds[-1] is EventType.WORKFLOW_COMPLETE_EVENT
    assert EventType.STATE_EXECUTE_ATTEMPT_SUCC_EVENT in kinds


def test_server_on_a_port_serves_clients_elsewhere() -> None:
    async def main() -> None:
        async with (
            memory_server(port=0) as server,
            FakeWorker() as worker,
            httpx.AsyncClient(base_url=server.url) as client,
        ):
            body = {
                "workflowId": "w",
                "iwfWorkflowType": "Test",
                "iwfWorkerUrl": worker.url,
                "workflowTimeoutSeconds": 0,
                "startStateId": "S1",
            }
            assert (await client.post("/api/v1/workflow/start", json=body)).status_code == 200
            answer = await client.post("/api/v1/workflow/getWithWait", json={"workflowId": "w"})
            assert answer.json()["workflowStatus"] == "COMPLETED"

    anyio.run(main)


def test_engine_tells_a_wait_that_ran_out_from_a_run_that_is_not_there() -> None:
    async def test(stage: Stage) -> None:
        stage.worker.script("S1.waitUntil", wait_for(signals=("go",)))
        await stage.start()

        with pytest.raises(WaitTimedOut):
            await stage.server.engine.wait("w", "", 60)
        with pytest.raises(EngineError, match="no workflow 'unknown'"):
            await stage.server.engine.wait("unknown", "", 60)

    on_memory(test)
