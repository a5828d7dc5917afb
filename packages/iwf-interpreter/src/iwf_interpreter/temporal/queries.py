"""Queries: a run is asked again and again until it answers, within the time that the caller has.

Temporal holds a query back while a task of the run is in hand, and refuses it when too many are held back
already. Its client library then waits longer and longer, up to seconds, for a task that lasts milliseconds.
So the pauses are made here, and they are short. What must stay true:

- A failure that passes is no failure while there is time.
- However many callers a run keeps waiting, only a few of them ask it again at a time.
- Only the run's own refusal of a query, and tasks that fail, are left to the caller.
"""

import random
import time
from datetime import timedelta

import anyio
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, QueryWorkflowRequest
from temporalio.service import RPCError, RPCStatusCode

from iwf_interpreter.engine import EngineError, WaitTimedOut
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import (
    TIMED_OUT,
    engine_error,
    is_not_scheduled_yet,
    query_error,
    query_may_be_repeated,
    waits_for_its_start,
)
from iwf_interpreter.temporal.lines import Lines

_TRY_SECONDS = 10.0
"""Limit of one try; should its answer be lost, that is noticed then."""
_FIRST_PAUSE = 0.004
_LONGEST_PAUSE = 0.1
_SHORT_DELAY_SECONDS = 1.5
"""A run that continues another one begins up to a second late."""
_REPEATING_AT_A_TIME = 4


class Queries:
    """Queries of the runs of one namespace."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._repeating = Lines(_REPEATING_AT_A_TIME)

    async def ask(
        self, execution: WorkflowExecution, query: WorkflowQuery, timeout_seconds: float
    ) -> Payloads:
        """Ask a run and return its answer.

        Raises:
            WaitTimedOut: It did not answer in time.
            NotStartedYet: It has not begun, and will not in a moment.
            QueryFailed: It refused the query, or its tasks fail.
            EngineError: It cannot be asked; or Temporal could not be reached until the time was over.
        """
        asking = _Asking(self._connection, execution, query, timeout_seconds)
        answer = await asking.try_once()
        if answer is not None:
            return answer
        with anyio.move_on_after(asking.seconds_left()):
            async with self._repeating.turn((execution.workflow_id, execution.run_id)):
                return await asking.repeat()
        raise asking.out_of_time()


class _Asking:
    """One query, tried until it is answered."""

    def __init__(
        self, connection: Connection, execution: WorkflowExecution, query: WorkflowQuery, seconds: float
    ) -> None:
        self._connection = connection
        self._execution = execution
        self._request = QueryWorkflowRequest(namespace=connection.namespace, execution=execution, query=query)
        self._deadline = anyio.current_time() + seconds
        # So that there is time to see why a run does not answer, and to ask it once more.
        self._try_seconds = min(_TRY_SECONDS, seconds / 2)
        self._last: RPCError | None = None

    def seconds_left(self) -> float:
        return self._deadline - anyio.current_time()

    async def repeat(self) -> Payloads:
        """Try until there is an answer."""
        pause = _FIRST_PAUSE
        while True:
            # Those who were refused together must not all come again together.
            seconds = pause * random.uniform(0.5, 1)
            if seconds >= self.seconds_left():
                raise self.out_of_time()
            await anyio.sleep(seconds)
            answer = await self.try_once()
            if answer is not None:
                return answer
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def try_once(self) -> Payloads | None:
        """Ask once; `None` if asking again may help."""
        seconds = min(self._try_seconds, max(0.0, self.seconds_left()))
        try:
            response = await self._connection.service.query_workflow(
                self._request, timeout=timedelta(seconds=seconds)
            )
        except RPCError as error:
            if error.status in TIMED_OUT or is_not_scheduled_yet(error):
                await self._check_begins_soon()
            elif not query_may_be_repeated(error):
                raise query_error(error) from error
            self._last = error
            return None
        return response.query_result

    def out_of_time(self) -> EngineError:
        """What it means that there was no answer until now."""
        last = self._last
        if last is not None and last.status is RPCStatusCode.UNAVAILABLE:
            return engine_error(last)
        reason = "its tasks are not run or fail" if last is None else last.message
        return WaitTimedOut(f"the workflow did not answer a query in time: {reason}")

    async def _check_begins_soon(self) -> None:
        """Raise `NotStartedYet` if the run has a start delay, a schedule or a pause that is not over."""
        try:
            described = await self._connection.service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(
                    namespace=self._connection.namespace, execution=self._execution
                ),
                timeout=timedelta(seconds=max(0.0, self.seconds_left())),
            )
        except RPCError as error:
            if error.status in TIMED_OUT or query_may_be_repeated(error):
                return
            raise engine_error(error) from error
        begins_at = described.workflow_execution_info.execution_time.ToNanoseconds() / 1e9
        if begins_at - time.time() > _SHORT_DELAY_SECONDS:
            raise waits_for_its_start()
