"""Playing scenarios against a server.

Everything that waits, waits on the event loop's clock, so a loop whose time skips makes all pauses free. The
wall clock is only read for the times that a scenario sends and for recognising times that come back. A play
has a fresh prefix for all its workflow ids: plays may run at once, and again and again, on one server.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any, cast

import anyio
import anyio.abc
import httpx
import msgspec
from msgspec import UNSET

from iwf_testkit.golden.client import API, Client, Unplayable, fulfils, is_closed
from iwf_testkit.golden.placeholders import Placeholders
from iwf_testkit.golden.places import Json, is_object, value_at
from iwf_testkit.golden.recording import Sighting, recorded
from iwf_testkit.golden.scenarios import (
    VARIANTS,
    Await,
    Call,
    Case,
    Closed,
    Condition,
    FinalRead,
    Join,
    NewRun,
    Open,
    Recording,
    Settle,
    Step,
)
from iwf_testkit.golden.scripted_worker import ScriptedWorker, WorkerServer

_START = f"{API}start"
_PLAY_SECONDS = 90.0
_CLEAN_UP_SECONDS = 15.0
_REPEAT_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.4
_ARRIVAL_SECONDS = 0.01
"""What has been sent, say a worker's answer, may take so long to arrive and to have its effect. Where time
skips, everything that can happen without a wait has happened then."""


class Player:
    """Plays any number of cases, also at once."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        workers: WorkerServer,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = 1.0,
    ) -> None:
        """Make a player.

        Args:
            http: Leads to the server under test; with its base URL and without a time limit of its own.
            workers: Where the server under test reaches the scripted workers.
            clock: Unix seconds.
            patience: Factor for pauses and time limits; more than 1 for a slow server.
        """
        self.client = Client(http)
        self.workers = workers
        self.clock = clock
        self.patience = patience

    async def play(self, case: Case) -> Recording:
        """Play a case to its end and terminate what it leaves open.

        Raises:
            Unplayable: Something that a step waits for never came, or took too long.
            CallsMissing: A worker call never came.
        """
        play = _Play(self, case)
        self.workers.add(play.prefix, play.worker)
        try:
            with anyio.move_on_after(_PLAY_SECONDS * self.patience):
                return await play.run()
            raise Unplayable(f"{case.id} was not finished within {_PLAY_SECONDS * self.patience:g} seconds")
        except ExceptionGroup as group:
            # Whatever failed first, the steps or a background call, has cancelled the others.
            raise _first_of(group.exceptions) from None
        finally:
            play.worker.end()
            with anyio.move_on_after(_CLEAN_UP_SECONDS, shield=True):
                await play.clean_up()
            self.workers.remove(play.prefix)


def _first_of(errors: Sequence[Exception]) -> Exception:
    first = errors[0]
    if isinstance(first, ExceptionGroup):
        return _first_of(cast("ExceptionGroup[Exception]", first).exceptions)
    return first


class _Background:
    """A call that goes on while the steps do."""

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.answer: dict[str, Json] = {}


class _Play:
    def __init__(self, player: Player, case: Case) -> None:
        self.prefix = f"g{token_hex(5)}"
        self._player = player
        self._client = player.client
        self._patience = player.patience
        self._case = case
        self._worker_url = player.workers.url(self.prefix)
        self._placeholders = Placeholders({"id": self.prefix, "worker": self._worker_url}, player.clock)
        self.worker = ScriptedWorker(case.scenario.worker, self._placeholders)
        self._answers: dict[str, dict[str, Json]] = {}
        self._background: dict[str, _Background] = {}
        self._started: list[str] = []
        self._ended: set[str] = set()

    async def run(self) -> Recording:
        async with anyio.create_task_group() as tasks:
            for step in self._case.scenario.steps:
                await self._step(step, tasks)
            for label in self._background:
                await self._join(label)
        await anyio.sleep(_ARRIVAL_SECONDS * self._patience)
        final = await self._final()
        return recorded(
            self._case,
            Sighting(
                prefix=self.prefix,
                worker_url=self._worker_url,
                server_url=self._client.server_url,
                now=self._player.clock(),
                answers=self._answers,
                calls=list(self.worker.calls),
                final=final,
            ),
        )

    async def clean_up(self) -> None:
        """Terminate what may still be open."""
        further = self._placeholders.fill(list(self._case.scenario.cleanup))
        for workflow_id in [*self._started, *further]:
            if workflow_id not in self._ended:
                await self._client.post("stop", {"workflowId": workflow_id, "stopType": "TERMINATE"})

    async def _step(self, step: Step, tasks: anyio.abc.TaskGroup) -> None:
        match step:
            case Call():
                await self._call_step(step, tasks)
            case Await(call=key, count=count, done=done, timeout=timeout):
                await self.worker.wait_for(key, count, done=done, timeout_seconds=timeout * self._patience)
                await anyio.sleep(_ARRIVAL_SECONDS * self._patience)
            case Open(gate=gate):
                self.worker.open(gate)
            case Closed(workflow=workflow, timeout=timeout):
                await self._until_closed(self._placeholders.fill(workflow), timeout * self._patience)
            case NewRun(workflow=workflow, than=than, save=save):
                other = Condition(status=200, not_={"body": {"workflowRunId": than}})
                await self._call(Call(path="get", body={"workflowId": workflow}, until=other, save=save))
            case Join(label=label):
                await self._join(label)
            case Settle(ms=ms):
                await anyio.sleep(ms / 1000 * self._patience)

    async def _call_step(self, step: Call, tasks: anyio.abc.TaskGroup) -> None:
        if step.record != "nothing":
            self._answers[step.label] = {}
        if step.background:
            self._background[step.label] = background = _Background()
            tasks.start_soon(self._call_in_background, step, background)
            return
        answer = await self._call(step)
        match step.record:
            case "answer":
                self._answers[step.label] = answer
            case "status":
                self._answers[step.label] = {"status": answer["status"]}
            case "nothing":
                pass

    async def _call_in_background(self, step: Call, background: _Background) -> None:
        background.answer = await self._call(step)
        background.ended.set()

    async def _join(self, label: str) -> None:
        background = self._background[label]
        await background.ended.wait()
        self._answers[label] = background.answer

    async def _call(self, step: Call) -> dict[str, Json]:
        if step.times is not None:
            return await self._many_calls(step, step.times)
        answer = await self._one_call(step, self._placeholders)
        for name, place in step.save.items():
            self._placeholders.save(name, value_at(answer.get("body"), place))
        return answer

    async def _many_calls(self, step: Call, times: int) -> dict[str, Json]:
        """The same call several times at once: how often each outcome came."""
        outcomes: Counter[str] = Counter()

        async def one(number: int) -> None:
            answer = await self._one_call(step, self._placeholders.with_value("n", str(number)))
            sub_status = value_at(answer.get("body"), "subStatus")
            outcomes[f"{answer['status']} {sub_status}" if sub_status else str(answer["status"])] += 1

        async with anyio.create_task_group() as tasks:
            for number in range(times):
                tasks.start_soon(one, number)
        return {"status": "several", "counts": dict(sorted(outcomes.items()))}

    async def _one_call(self, step: Call, placeholders: Placeholders) -> dict[str, Json]:
        deadline = anyio.current_time() + step.within * self._patience
        while True:
            answer = await self._request(step, placeholders)
            if step.until is None or fulfils(answer, step.until, placeholders):
                return answer
            if anyio.current_time() > deadline:
                return {**answer, "until": "never reached"}
            await anyio.sleep(_REPEAT_SECONDS)

    async def _request(self, step: Call, placeholders: Placeholders) -> dict[str, Json]:
        path = step.path if step.path.startswith("/") else f"{API}{step.path}"
        body = UNSET if step.body is UNSET else placeholders.fill(step.body)
        if step.raw is not None:
            content = str(placeholders.fill(step.raw)).encode()
        elif body is not UNSET:
            body = self._varied(body) if path == _START else body
            content = msgspec.json.encode(body)
        else:
            content = None
        began = anyio.current_time()
        answer = await self._client.send(step.method, path, content, step.headers, step.timeout)
        if path == _START and answer["status"] == 200 and is_object(body):
            self._note_started(body.get("workflowId"))
        if step.elapsed is not None:
            spent = anyio.current_time() - began
            least, most = step.elapsed
            answer["elapsed"] = "as expected" if least <= spent <= most * self._patience else f"{spent:.1f} s"
        return answer

    def _varied(self, body: Json) -> Json:
        extra = VARIANTS[self._case.variant]
        if not extra or not is_object(body):
            return body
        options: dict[str, Json] = body.get("workflowStartOptions") or {}
        config: dict[str, Json] = {**extra, **(options.get("workflowConfigOverride") or {})}
        return {**body, "workflowStartOptions": {**options, "workflowConfigOverride": config}}

    def _note_started(self, workflow_id: Any) -> None:
        if workflow_id and workflow_id not in self._started:
            self._started.append(workflow_id)

    async def _until_closed(self, workflow_id: str, timeout_seconds: float) -> None:
        pause = _FIRST_PAUSE_SECONDS
        with anyio.move_on_after(timeout_seconds):
            while True:
                answer = await self._client.post("get", {"workflowId": workflow_id})
                if is_closed(answer):
                    return
                await anyio.sleep(pause)
                pause = min(_LONGEST_PAUSE_SECONDS, pause * 1.5)
        raise Unplayable(f"{workflow_id} did not close within {timeout_seconds:g} seconds")

    async def _final(self) -> dict[str, dict[str, dict[str, Json]]]:
        wanted: Sequence[FinalRead] | None = self._case.scenario.final
        if wanted is None:
            wanted = [FinalRead(workflow=workflow_id) for workflow_id in self._started]
        search = [{"key": key, "valueType": type_} for key, type_ in self._case.scenario.search.items()]
        final: dict[str, dict[str, dict[str, Json]]] = {}
        for item in wanted:
            workflow_id: str = self._placeholders.fill(item.workflow)
            named = {"workflowId": workflow_id}
            read = {
                "get": await self._client.post("get", {**named, "needsResults": True}),
                "dataobjects": await self._client.post("dataobjects/get", named),
            }
            if search:
                read["searchattributes"] = await self._client.post(
                    "searchattributes/get", {**named, "keys": search}
                )
            if is_closed(read["get"]):
                self._ended.add(workflow_id)
            final[workflow_id] = read
        return final
