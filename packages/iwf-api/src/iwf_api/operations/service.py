"""What all operations share: the engine, the worker client, the settings, deadlines and queries.

One `Service` per process. Its only state is which requests wait for, or read, the same thing, so operations
may run at the same time without knowing of each other.
"""

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import msgspec

from iwf_api.errors import WorkflowDidNotAnswer
from iwf_api.operations.busy_workflows import BusyWorkflows
from iwf_api.operations.shared_reads import SharedReads
from iwf_api.operations.shared_waits import SharedWaits
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import QueryType, StateCompletionAnswer
from iwf_interpreter.engine import Engine, QueryFailed, WaitTimedOut, WorkflowOutcome
from iwf_interpreter.observer import Observer
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import codec

T = TypeVar("T")


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operation works with."""

    engine: Engine
    worker: WorkerClient
    settings: ApiSettings
    observer: Observer | None = None
    """Is told of RPCs."""
    state_waits: SharedWaits[StateCompletionAnswer | None] = msgspec.field(
        default_factory=SharedWaits["StateCompletionAnswer | None"]
    )
    """Requests that wait for states; `None` is a workflow that has closed without it."""
    outcome_waits: SharedWaits[WorkflowOutcome] = msgspec.field(default_factory=SharedWaits[WorkflowOutcome])
    """Requests that wait for the end of a chain of runs."""
    reads: SharedReads = msgspec.field(default_factory=SharedReads)
    """Queries, and looks at runs, that several requests have in common."""
    busy_workflows: BusyWorkflows = msgspec.field(default_factory=BusyWorkflows)
    """Those with RPCs in progress."""
    clock: Callable[[], float] = time.time
    """Unix seconds."""

    def wait_seconds(self, requested: int | None) -> float:
        """How long to wait, in seconds, for a client that asked for `requested`.

        Absent, zero and negative wishes, and those above the limit, mean the limit. The wait is counted from
        the start of the current second, so that its answer leaves before the client's own timeout of the same
        length has passed.
        """
        limit = self.settings.max_wait_seconds
        seconds = requested if requested is not None and 0 < requested < limit else limit
        now = self.clock()
        return math.floor(now) + seconds - now

    def deadline(self, requested: int | None) -> float:
        """When a call that may take `wait_seconds(requested)` is over, by the event loop's clock."""
        return anyio.current_time() + self.wait_seconds(requested)

    def seconds_until(self, deadline: float) -> float:
        """What is left until a deadline, in seconds; 0 when it has passed."""
        return max(0.0, deadline - anyio.current_time())

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        *,
        deadline: float,
        final_failure: str | None = None,
    ) -> T:
        """Ask a run about its state, again if it cannot answer yet.

        Requests that ask the same at the same time share a query. Its answer shows every write that was
        acknowledged before the call.

        Args:
            workflow_id: The workflow.
            run_id: The run; `""` is the current one.
            query: What to ask.
            argument: The struct that the query takes, or `None`.
            answer_type: The struct that it answers.
            deadline: Time of the event loop's clock at which to give up.
            final_failure: Words of a failure that asking again would not change.

        Raises:
            QueryFailed: The run still could not answer.
            WorkflowDidNotAnswer: It did not answer before the deadline.
            EngineError: Other failures of the engine.
        """
        key = (workflow_id, run_id, query, codec.encode(argument))

        async def ask() -> T:
            return await self.engine.query(
                workflow_id, run_id, query, argument, answer_type, self.seconds_until(deadline)
            )

        policy = self.settings.query_workflow_failed_retry_policy
        failure: Exception = WorkflowDidNotAnswer(workflow_id)
        with anyio.CancelScope(deadline=deadline):
            for attempt in range(1, policy.maximum_attempts + 1):
                if attempt > 1:
                    await anyio.sleep(policy.initial_interval_seconds)
                try:
                    return await self.reads.join(key, ask)
                except WaitTimedOut as error:
                    raise WorkflowDidNotAnswer(workflow_id) from error
                except QueryFailed as error:
                    failure = error
                    if final_failure is not None and final_failure in str(error):
                        break
        raise failure
