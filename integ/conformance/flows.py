"""What the conformance tests share: a workflow under some configuration, and short forms of calls to it.

A `Flow` is a `Scenario` whose starts carry the configuration of a variant. What a workflow shows to its users
must not depend on the variant, so a test says nothing about it unless it is about one.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import anyio
import httpx
import msgspec
import pytest

from engines import NEEDS_TEMPORAL
from iwf_models import (
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowWorkerRpcRequest,
)
from iwf_testkit import FakeWorker, IwfServer
from scenario import Reply, Scenario, eventually

RequestT = TypeVar("RequestT")


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow is run."""

    config: Mapping[str, object] = {}
    """Part of `workflowConfigOverride`."""
    cached: bool = True
    engine: str = "temporal"

    @property
    def continues(self) -> bool:
        """Every operation is followed by a new run."""
        return "continueAsNewThreshold" in self.config


_CONTINUED = {"continueAsNewThreshold": 1}
_LOCAL = {"optimizeActivity": True}

VARIANTS: Mapping[str, Variant] = {
    "plain": Variant(),
    "continued": Variant(config=_CONTINUED),
    "local": Variant(config=_LOCAL),
    "local-continued": Variant(config=_LOCAL | _CONTINUED),
    "uncached": Variant(cached=False),
    "uncached-local-continued": Variant(config=_LOCAL | _CONTINUED, cached=False),
    "memory-plain": Variant(engine="memory"),
    "memory-continued": Variant(engine="memory", config=_CONTINUED),
    "memory-local": Variant(engine="memory", config=_LOCAL),
    "memory-local-continued": Variant(engine="memory", config=_LOCAL | _CONTINUED),
}

REGULAR = ("plain", "continued", "uncached")
"""The engine makes all calls: a test may hold one and talk to the workflow meanwhile."""
WITHOUT_THRESHOLD = ("plain", "local", "uncached")
CONTINUED = ("continued", "local-continued", "uncached-local-continued")
LOCAL = ("local", "local-continued", "uncached-local-continued")


def under(*names: str) -> pytest.MarkDecorator:
    """Run a test under these variants only, because it is about them, and under their twins on memory."""
    return pytest.mark.variants(*names)


def variant_names(item: pytest.Metafunc) -> list[str]:
    """The variants that a test runs under; on memory only if it needs nothing of Temporal itself."""
    mark = item.definition.get_closest_marker("variants")
    names = list(VARIANTS) if mark is None else [*mark.args]
    if NEEDS_TEMPORAL & set(item.fixturenames):
        return [name for name in names if VARIANTS[name].engine == "temporal"]
    twins = [f"memory-{name}" for name in names if f"memory-{name}" in VARIANTS]
    return list(dict.fromkeys([*names, *twins]))


class Flow(Scenario):
    """A server under test, a worker, and workflows that are started with a variant's configuration."""

    def __init__(
        self, server: IwfServer, worker: FakeWorker, http: httpx.AsyncClient, variant: Variant
    ) -> None:
        super().__init__(server, worker, http)
        self.variant = variant
        self._started: list[str] = []

    async def start(
        self,
        workflow_id: str | None = None,
        state_id: str | None = "S1",
        **fields: Any,
    ) -> tuple[str, str]:
        """As `Scenario.start`, with the variant's configuration; what `config` says wins over that."""
        workflow_id = workflow_id or self.new_id()
        self._started.append(workflow_id)
        override = {**self.variant.config, **fields.pop("config", {})}
        options = {**fields.pop("workflowStartOptions", {}), "workflowConfigOverride": override}
        return await super().start(workflow_id, state_id, workflowStartOptions=options, **fields)

    async def terminate_all(self) -> None:
        """Leave nothing behind that would go on calling a worker that is gone."""
        for workflow_id in self._started:
            await self.post("stop", {"workflowId": workflow_id, "stopType": "TERMINATE"})

    async def signal(self, workflow_id: str, channel: str, *data: str) -> None:
        """Send a signal for each value, one after the other."""
        for item in data:
            value = {"encoding": "json", "data": item}
            await self.ok("signal", workflowId=workflow_id, signalChannelName=channel, signalValue=value)

    async def publish(self, workflow_id: str, channel: str, *data: str) -> None:
        """Publish messages to an internal channel, all in one request."""
        messages = [{"channelName": channel, "value": {"encoding": "json", "data": item}} for item in data]
        await self.ok("publishToInternalChannel", workflowId=workflow_id, messages=messages)

    async def rpc(self, workflow_id: str, name: str = "read", **fields: Any) -> dict[str, Any]:
        """Call an RPC that must succeed."""
        return await self.ok("rpc", workflowId=workflow_id, rpcName=name, **fields)

    async def ended(self, workflow_id: str, wait_seconds: int = 20) -> dict[str, Any]:
        """As `result`, but for the run id, which is that of the run that was current when the wait began."""
        result = await self.result(workflow_id, wait_seconds)
        assert result.pop("workflowRunId")
        return result

    async def completed(self, workflow_id: str) -> list[tuple[str, str | None]]:
        """Wait until a workflow completes; its outputs by state execution id, in their order."""
        result = await self.result(workflow_id)
        assert result["workflowStatus"] == "COMPLETED", result
        assert result.get("results") != []
        return [
            (item["completedStateExecutionId"], item["completedStateOutput"].get("data"))
            for item in result.get("results", [])
        ]

    async def status(self, workflow_id: str, run_id: str = "") -> str:
        """The status of the current run, or of a run."""
        reply = await self.ok("get", workflowId=workflow_id, workflowRunId=run_id)
        return reply["workflowStatus"]

    async def next_run(self, workflow_id: str, run_id: str) -> str:
        """Wait until another run goes on, and return its id."""

        async def get() -> Reply:
            return await self.post("get", {"workflowId": workflow_id})

        reply = await eventually(get, lambda reply: reply.body["workflowRunId"] != run_id)
        return reply.body["workflowRunId"]

    async def has_data(self, workflow_id: str, **expected: str) -> None:
        """Wait until the data attributes are exactly these."""

        async def read() -> Reply:
            return await self.post("dataobjects/get", {"workflowId": workflow_id})

        def same(reply: Reply) -> bool:
            objects = reply.body.get("objects", [])
            return {item["key"]: item["value"]["data"] for item in objects} == expected

        await eventually(read, same)

    def waits(self, key: str) -> list[WorkflowStateStartRequest]:
        """What waitUntil of a state, or of one execution, was asked."""
        return _requests(self, f"{key}.waitUntil", WorkflowStateStartRequest)

    def executes(self, key: str) -> list[WorkflowStateDecideRequest]:
        """What execute of a state, or of one execution, was asked."""
        return _requests(self, f"{key}.execute", WorkflowStateDecideRequest)

    def rpcs(self, name: str = "read") -> list[WorkflowWorkerRpcRequest]:
        """What an RPC of the worker was asked."""
        return _requests(self, f"rpc.{name}", WorkflowWorkerRpcRequest)

    def counts(self, *keys: str) -> list[int]:
        """How often each of these calls was made."""
        return [len(self.worker.calls_of(key)) for key in keys]


async def until(condition: Callable[[], Awaitable[bool]], within_seconds: float = 10) -> None:
    """Repeat a question until its answer is yes."""
    with anyio.fail_after(within_seconds):
        while not await condition():
            await anyio.sleep(0.02)


def _requests(flow: Flow, key: str, kind: type[RequestT]) -> list[RequestT]:
    requests: Iterable[object] = (call.request for call in flow.worker.calls_of(key))
    return [request for request in requests if isinstance(request, kind)]
