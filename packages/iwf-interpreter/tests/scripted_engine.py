"""An engine that does what a test says and records what it is asked; it keeps no workflows."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import anyio

from iwf_interpreter.contract import QueryType, UpdateType
from iwf_interpreter.engine import (
    ResetPoint,
    SearchPage,
    StartRequest,
    WorkflowDescription,
    WorkflowOutcome,
)
from iwf_models import WorkflowStatus

T = TypeVar("T")

RUNNING = WorkflowDescription(
    run_id="run-1", status=WorkflowStatus.RUNNING, memo={}, search_attributes={}, search_attribute_types={}
)
FOREVER = object()
"""An outcome that never comes."""


class ScriptedEngine:
    """Implements `iwf_interpreter.engine.Engine`."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        """Every call in order: the method's name, then its arguments."""
        self.cancelled: list[str] = []
        """Methods whose call was cancelled."""
        self.waiting = anyio.Event()
        """Set once a call waits `FOREVER`."""
        self._outcomes: dict[str, Sequence[object]] = {
            "start": ["run-1"],
            "describe": [RUNNING],
            "outcome": [WorkflowOutcome(status=WorkflowStatus.COMPLETED)],
            "wait": [WorkflowOutcome(status=WorkflowStatus.COMPLETED)],
            "reset": ["run-2"],
            "search": [SearchPage(executions=[], next_page_token=b"")],
            "search_attribute_types": [{}],
        }

    def script(self, method: str, *outcomes: object) -> None:
        """Say what a method does: its successive answers, or exceptions to raise; the last one repeats."""
        self._outcomes[method] = outcomes

    def calls_of(self, method: str) -> list[tuple[object, ...]]:
        """The arguments of each call of a method."""
        return [call[1:] for call in self.calls if call[0] == method]

    async def start(self, request: StartRequest) -> str:
        return await self._do("start", request)

    async def signal(self, workflow_id: str, run_id: str, name: str, body: Any) -> None:
        await self._do("signal", workflow_id, run_id, name, body)

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        answer = await self._do("query", workflow_id, run_id, query, argument)
        assert isinstance(answer, answer_type)
        return answer

    async def update(
        self,
        workflow_id: str,
        run_id: str,
        update: UpdateType,
        update_id: str,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        answer = await self._do("update", workflow_id, run_id, update, update_id, argument, timeout_seconds)
        assert isinstance(answer, answer_type)
        return answer

    async def reset(
        self,
        workflow_id: str,
        run_id: str,
        point: ResetPoint,
        reason: str,
        *,
        skip_signal_reapply: bool,
        skip_update_reapply: bool,
    ) -> str:
        return await self._do(
            "reset", workflow_id, run_id, point, reason, skip_signal_reapply, skip_update_reapply
        )

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowDescription:
        return await self._do("describe", workflow_id, run_id)

    async def outcome(self, workflow_id: str, run_id: str) -> WorkflowOutcome:
        return await self._do("outcome", workflow_id, run_id)

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        return await self._do("wait", workflow_id, run_id, timeout_seconds)

    async def cancel(self, workflow_id: str, run_id: str) -> None:
        await self._do("cancel", workflow_id, run_id)

    async def terminate(self, workflow_id: str, run_id: str, reason: str) -> None:
        await self._do("terminate", workflow_id, run_id, reason)

    async def search(self, query: str, page_size: int, page_token: bytes) -> SearchPage:
        return await self._do("search", query, page_size, page_token)

    async def search_attribute_types(self) -> Mapping[str, str] | None:
        return await self._do("search_attribute_types")

    async def _do(self, method: str, *arguments: object) -> Any:
        outcomes = self._outcomes.get(method, [None])
        outcome = outcomes[min(len(self.calls_of(method)), len(outcomes) - 1)]
        self.calls.append((method, *arguments))
        if outcome is FOREVER:
            self.waiting.set()
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                self.cancelled.append(method)
                raise
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
