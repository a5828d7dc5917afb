"""Calls in place of a run, for the tests of `iwf_interpreter.loop.local`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from iwf_interpreter.core import CallExecute, CallRpc, CallWaitUntil
from iwf_interpreter.loop.history import LocalResult
from iwf_interpreter.loop.local import Done, LocalCalls
from iwf_models import (
    Context,
    RetryPolicy,
    WorkflowStateStartRequest,
    codec,
)
from scripted_loop import ScriptedWorker, attempts

NOW_MS = 1_700_000_000_500


PATIENCE = 5.0


def context(name: str) -> Context:
    return Context(
        workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1, state_execution_id=name
    )


def wait_until(execution_id: str = "S-1") -> CallWaitUntil:
    return CallWaitUntil(
        call_id=f"wu/{execution_id}",
        worker_url="http://w",
        request=WorkflowStateStartRequest(
            context=context(execution_id), workflow_type="T", workflow_state_id="S"
        ),
        timeout_seconds=3,
        retry_policy=RetryPolicy(),
        local=True,
    )


class Making:
    """Calls in place of the run `r`."""

    def __init__(self, calls: LocalCalls, work: TaskGroup) -> None:
        self.calls = calls
        self._work = work

    def start(
        self, call: CallWaitUntil | CallExecute | CallRpc, run_id: str = "r", previous: str = ""
    ) -> None:
        self.calls.start(self._work, run_id, previous, call, lambda: NOW_MS)

    async def take(self, run_id: str = "r", seconds: float = PATIENCE) -> LocalResult | None:
        """The next result within a time, which the task in hand takes in."""
        done: Done | None = None
        with anyio.move_on_after(seconds):
            done = await self.calls.next_done(run_id)
        if done is None:
            return None
        assert done.size_bytes == len(codec.encode(done.result))
        self.calls.taken(run_id, done.result.call_id)
        return done.result


@asynccontextmanager
async def making(worker: ScriptedWorker, max_concurrent: int = 10) -> AsyncGenerator[Making]:
    async with anyio.create_task_group() as work:
        yield Making(LocalCalls(attempts(worker), max_concurrent), work)
        work.cancel_scope.cancel()
