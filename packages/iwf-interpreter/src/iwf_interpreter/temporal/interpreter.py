"""The interpreter on Temporal: everything that a process needs to run workflows of one task queue."""

import anyio
import msgspec
from anyio.abc import TaskStatus
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueResponse

from iwf_interpreter.contract import DEFAULT_TASK_QUEUE
from iwf_interpreter.loop.attempts import Attempts
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.loop.tasks import TaskLoop
from iwf_interpreter.observer import Observer
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.dialect import ProtocolOptions, TemporalDialect
from iwf_interpreter.temporal.search_attributes import RegisteredSearchAttributes
from iwf_interpreter.temporal.tasks import workflow_task
from iwf_interpreter.worker_client import WorkerClient


class InterpreterOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an interpreter process."""

    task_queue: str = DEFAULT_TASK_QUEUE
    loop: LoopOptions = LoopOptions()
    protocol: ProtocolOptions = ProtocolOptions()


class TemporalInterpreter:
    """Runs iWF workflows on Temporal.

    In a process that also starts workflows, pass the interpreter to `TemporalEngine` as `eager`: first
    tasks then come back with the start itself.
    """

    def __init__(
        self,
        connection: Connection,
        worker: WorkerClient,
        options: InterpreterOptions,
        observer: Observer | None = None,
    ) -> None:
        dialect = TemporalDialect(connection, options.task_queue, options.protocol)
        registered = RegisteredSearchAttributes(connection)
        self._loop = TaskLoop(dialect, Attempts(worker, registered.types, observer), options.loop, observer)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop`, then finish what is in hand; started once it polls."""
        await self._loop.run(task_status=task_status)

    def stop(self) -> None:
        """Take no more work; `run` returns when what is in hand is done."""
        self._loop.stop()

    def is_polling(self) -> bool:
        """Whether it takes tasks from the engine."""
        return self._loop.is_polling()

    def has_slot(self) -> bool:
        """Whether a workflow that is started now may be run here at once."""
        return self._loop.has_slot()

    def accept(self, response: PollWorkflowTaskQueueResponse) -> None:
        """Run a first task that the engine returned with the start."""
        self._loop.accept(workflow_task(response))
