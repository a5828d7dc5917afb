"""The clients of one workflow: what they send, what was acknowledged, and what must come of it.

A call that was answered with success has happened exactly once. One that was answered otherwise, or not at
all, has happened once or not at all; such a message is never sent again, but for `END`.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import anyio
import httpx
import msgspec

from iwf_models import KeyValue
from tools.chaos.program import (
    CALLED,
    CALLS,
    END,
    LOCK,
    SIGNALS,
    TOKENS,
    Plan,
    expected_notes,
    notes,
    options,
)

_ATTEMPTS = 300
"""Of a call that has to succeed at last."""


class Answer(msgspec.Struct, frozen=True):
    """What the server said."""

    status: int
    body: dict[str, Any]


class Totals(msgspec.Struct):
    """What the clients of all workflows have done."""

    started: int = 0
    completed: int = 0
    signals: int = 0
    locked_rpcs: int = 0
    rpcs: int = 0
    waits: int = 0
    unacknowledged: int = 0
    """Calls whose outcome the server has not told."""


class Tokens:
    """The messages of one client, sent one after the other."""

    def __init__(self, prefix: str, count: int) -> None:
        self.planned = [f"{prefix}{number}" for number in range(1, count + 1)]
        self.acknowledged: list[str] = []
        self.unacknowledged: list[str] = []

    def faults(self, applied: Sequence[str]) -> list[str]:
        """What is wrong with what was applied of them, in the order in which it was."""
        known = {*self.acknowledged, *self.unacknowledged}
        found: list[str] = []
        if [token for token in self.planned if token in applied] != list(applied):
            found.append(f"not once and in order: {list(applied)}")
        if lost := [token for token in self.acknowledged if token not in applied]:
            found.append(f"acknowledged and lost: {lost}")
        if strange := [token for token in applied if token not in known]:
            found.append(f"never sent: {strange}")
        return found


class Clients:
    """All clients of one workflow.

    Args:
        http: Of the API that is not killed.
        starts_at: URLs of servers that are killed, tried in turn until one has started the workflow.
        worker_url: The worker.
        chance: Decides about pauses and about the workflow's configuration.
        plan: How much the workflow does.
        totals: Where everything is counted.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        starts_at: Sequence[str],
        worker_url: str,
        chance: random.Random,
        plan: Plan,
        totals: Totals,
    ) -> None:
        self.workflow_id = f"chaos-{uuid4()}"
        self._http = http
        self._starts_at = starts_at
        self._worker_url = worker_url
        self._chance = chance
        self._plan = plan
        self._totals = totals
        self._signals = Tokens("s", plan.messages)
        self._calls = Tokens("c", plan.messages)
        self._adds = [Tokens(f"{name}", plan.messages) for name in "ab"]
        self.faults: list[str] = []
        """What is not as it must be."""

    async def run(self) -> None:
        """Start the workflow, send everything, wait for the end and check the result."""
        await self._start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_signals)
            tasks.start_soon(self._wait_for_state, {"stateExecutionId": "Timer-1"}, "Timer-1")
            tasks.start_soon(self._wait_for_state, {"stateId": "Slow", "waitForKey": "slow"}, "Slow-1")
            async with anyio.create_task_group() as rpcs:
                rpcs.start_soon(self._send_calls)
                for tokens in self._adds:
                    rpcs.start_soon(self._send, tokens, self._add)
            # The workflow may end from here on.
            await self._until_acknowledged(lambda: self._call(END))
        result = await self._result()
        if result is not None:
            self._totals.completed += 1
            self._check(result)

    # Calls

    async def _post(self, path: str, body: Mapping[str, object], base: str = "") -> Answer:
        try:
            answer = await self._http.post(f"{base}/api/v1/workflow/{path}", json=body)
        except httpx.TransportError as error:
            return Answer(0, {"detail": repr(error)})
        return Answer(answer.status_code, answer.json())

    async def _start(self) -> None:
        locals_first = self._chance.random() < 0.5
        threshold = self._chance.choice((0, 3, 8, 20))
        request = {
            "workflowId": self.workflow_id,
            "iwfWorkflowType": "Chaos",
            "iwfWorkerUrl": self._worker_url,
            "workflowTimeoutSeconds": 3600,
            "startStateId": "Begin",
            "stateInput": {"encoding": "json", "data": msgspec.json.encode(self._plan).decode()},
            "stateOptions": msgspec.to_builtins(options(skips_wait_until=True)),
            "workflowStartOptions": {
                "workflowConfigOverride": {
                    "optimizeActivity": locals_first,
                    "continueAsNewThreshold": threshold,
                },
                "workflowAlreadyStartedOptions": {
                    "ignoreAlreadyStartedError": True,
                    "requestId": self.workflow_id,
                },
            },
        }
        first = self._chance.randrange(len(self._starts_at))
        urls = [*self._starts_at[first:], *self._starts_at[:first], ""]
        for url in [*urls, *urls]:
            if (await self._post("start", request, url)).status == 200:
                self._totals.started += 1
                return
        raise RuntimeError("no server has started a workflow")

    async def _send(self, tokens: Tokens, call: Callable[[str], Awaitable[bool]]) -> None:
        for token in tokens.planned:
            await anyio.sleep(self._chance.uniform(0, 0.4))
            if await call(token):
                tokens.acknowledged.append(token)
            else:
                tokens.unacknowledged.append(token)
                self._totals.unacknowledged += 1

    async def _until_acknowledged(self, call: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(_ATTEMPTS):
            if await call():
                return
            self._totals.unacknowledged += 1
            now = await self._post("get", {"workflowId": self.workflow_id})
            if now.body.get("workflowStatus") == "COMPLETED":
                # The call did happen.
                return
            await anyio.sleep(0.5)
        self.faults.append(f"a call has failed {_ATTEMPTS} times")

    async def _send_signals(self) -> None:
        await self._send(self._signals, self._signal)
        await self._until_acknowledged(lambda: self._signal(END))

    async def _send_calls(self) -> None:
        await self._send(self._calls, self._call)
        # What was acknowledged can be read.
        answer = await self._post("dataobjects/get", {"workflowId": self.workflow_id, "keys": [CALLED]})
        if answer.status == 200:
            objects = msgspec.convert(answer.body.get("objects", []), list[KeyValue])
            read = notes(objects, CALLED)
            self.faults += [f"RPCs as read at once: {text}" for text in self._calls.faults(read)]

    async def _signal(self, text: str) -> bool:
        self._totals.signals += 1
        body = {"workflowId": self.workflow_id, "signalChannelName": SIGNALS, "signalValue": {"data": text}}
        return (await self._post("signal", body)).status == 200

    async def _call(self, text: str) -> bool:
        self._totals.rpcs += 1
        policy = {
            "persistenceLoadingType": "LOAD_PARTIAL_WITHOUT_LOCKING",
            "partialLoadingKeys": [CALLED],
        }
        return await self._rpc("call", text, policy)

    async def _add(self, text: str) -> bool:
        self._totals.locked_rpcs += 1
        return await self._rpc("add", text, msgspec.to_builtins(LOCK))

    async def _rpc(self, name: str, text: str, policy: Mapping[str, object]) -> bool:
        value = {"encoding": "json", "data": text}
        body = {
            "workflowId": self.workflow_id,
            "rpcName": name,
            "input": value,
            "timeoutSeconds": 50,
            "dataAttributesLoadingPolicy": policy,
        }
        answer = await self._post("rpc", body)
        if answer.status == 200 and answer.body != {"output": value}:
            self.faults.append(f"RPC {name} of {text!r} was answered {answer.body}")
        return answer.status == 200

    async def _wait_for_state(self, target: Mapping[str, str], execution_id: str) -> None:
        self._totals.waits += 1
        body = {"workflowId": self.workflow_id, "waitTimeSeconds": 50, **target}
        for _ in range(_ATTEMPTS):
            answer = await self._post("waitForStateCompletion", body)
            if answer.status == 200:
                output = answer.body.get("stateCompletionOutput", {})
                if output.get("completedStateExecutionId") != execution_id:
                    self.faults.append(f"the wait for {execution_id} was answered {answer.body}")
                return
            await anyio.sleep(0.5)
        self.faults.append(f"the wait for {execution_id} has had no answer")

    async def _result(self) -> list[dict[str, Any]] | None:
        answer = Answer(0, {})
        for _ in range(_ATTEMPTS):
            body = {"workflowId": self.workflow_id, "waitTimeSeconds": 50}
            answer = await self._post("getWithWait", body)
            if answer.status == 200:
                if answer.body["workflowStatus"] != "COMPLETED":
                    self.faults.append(f"ended as {answer.body}")
                    return None
                return answer.body.get("results", [])
            await anyio.sleep(0.5)
        self.faults.append(f"has not completed: {answer}")
        return None

    # The result

    def _check(self, results: list[dict[str, Any]]) -> None:
        if [item["completedStateExecutionId"] for item in results] != ["Finish-1"]:
            self.faults.append(f"results are {results}")
            return
        found = msgspec.json.decode(results[0]["completedStateOutput"]["data"], type=dict[str, list[str]])
        for key, expected in expected_notes(self._plan).items():
            if found.get(key) != expected:
                self.faults.append(f"{key} is {found.get(key)}, not {expected}")
        self._check_messages(found.get(SIGNALS, []), "Signals", self._signals)
        self._check_messages(found.get(CALLS, []), "Calls", self._calls)
        called = [text for text in found.get(CALLED, []) if text != END]
        self.faults += [f"{CALLED}: {text}" for text in self._calls.faults(called)]
        self._check_tokens(found.get(TOKENS, []))

    def _check_messages(self, entries: Sequence[str], state_id: str, tokens: Tokens) -> None:
        """One message per execution, all of them, in order, and the end of the thread last."""
        executions = [entry.partition(" ")[0] for entry in entries]
        texts = [entry.partition(" ")[2] for entry in entries]
        if executions != [f"{state_id}-{at}" for at in range(1, len(entries) + 1)] or texts[-1:] != [END]:
            self.faults.append(f"{state_id} took {list(entries)}")
        self.faults += [f"{state_id}: {text}" for text in tokens.faults(texts[:-1])]

    def _check_tokens(self, entries: Sequence[str]) -> None:
        rest = list(entries)
        for tokens in self._adds:
            applied = [entry for entry in entries if entry in tokens.planned]
            rest = [entry for entry in rest if entry not in tokens.planned]
            self.faults += [f"{TOKENS}: {text}" for text in tokens.faults(applied)]
        states = [f"Fan-{at}" for at in range(1, self._plan.fan + 1)]
        if sorted(rest) != states:
            self.faults.append(f"{TOKENS} of states: {rest}, not {states}")
