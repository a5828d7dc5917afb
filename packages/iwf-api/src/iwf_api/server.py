"""The server's parts put together in one process: engine, interpreter and API.

Starts them in the order in which they need each other and stops them in the reverse order, without
losing what is in hand. Where Temporal comes from is not known here.
"""

import logging
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

import anyio
import msgspec
from anyio.abc import TaskStatus

from iwf_api.admin import EngineCheck, Phase, Readiness, create_admin_app
from iwf_api.app import create_app
from iwf_api.draining import LongPollDrain
from iwf_api.exits import BackendMisconfigured, BackendUnreachable
from iwf_api.listener import is_loopback, serving
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import EXECUTING_STATE_IDS_ATTRIBUTE, WORKFLOW_TYPE_ATTRIBUTE
from iwf_interpreter.engine import EngineError
from iwf_interpreter.observer import Observer
from iwf_interpreter.temporal import (
    Connection,
    InterpreterOptions,
    TemporalEngine,
    TemporalInterpreter,
    connect,
    ensure_search_attributes,
    listed_search_attributes,
)
from iwf_interpreter.worker_client import WorkerClient, options_from_environment

_logger = logging.getLogger(__name__)

_ADMIN_DRAIN_SECONDS = 1

REQUIRED_SEARCH_ATTRIBUTES: Mapping[str, str] = {
    WORKFLOW_TYPE_ATTRIBUTE: "Keyword",
    EXECUTING_STATE_IDS_ATTRIBUTE: "KeywordList",
}
"""What the interpreter writes, so what the namespace must have."""


class Role(StrEnum):
    """What a process does."""

    API = "api"
    INTERPRETER = "interpreter"
    ALL = "all"


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect, and what to run."""

    address: str
    """`HOST:PORT` of Temporal."""
    namespace: str = "default"
    role: Role = Role.ALL
    interpreter: InterpreterOptions = InterpreterOptions()
    api: ApiSettings = ApiSettings()
    search_attributes: Mapping[str, str] = {}
    """Created if they are missing, beside those that the interpreter needs."""
    connect_within_seconds: float = 60.0
    """How long to wait for Temporal."""
    pre_stop_seconds: float = 0.0
    """How long a server that is asked to stop goes on as before, so that load balancers that ask the admin
    listener can notice."""
    drain_seconds: int = 30
    """How long requests in progress may go on when the server stops. Long polls are answered at once."""


@asynccontextmanager
async def running(
    options: ServerOptions,
    listening: socket.socket | None,
    observer: Observer | None = None,
    admin: socket.socket | None = None,
) -> AsyncGenerator[None]:
    """Run the server for as long as the context is open.

    Args:
        options: What to run.
        listening: The API's socket; needed unless the role is `INTERPRETER`.
        observer: Is told what happens to workflows.
        admin: The socket of the admin listener, which answers from the first moment to the last.

    Raises:
        BackendUnreachable: Temporal does not answer.
        BackendMisconfigured: A search attribute has another type than is needed, or cannot be created.
    """
    async with AsyncExitStack() as stack:
        readiness = Readiness()
        if admin is not None:
            await stack.enter_async_context(
                serving(
                    create_admin_app(readiness),
                    admin,
                    drain_seconds=_ADMIN_DRAIN_SECONDS,
                    limits=options.api.connection,
                )
            )
        connection = await _connected(options)
        await _prepared(connection, options)
        readiness.engine = EngineCheck(
            lambda: listed_search_attributes(connection), REQUIRED_SEARCH_ATTRIBUTES
        )
        worker = await stack.enter_async_context(WorkerClient(options_from_environment(os.environ)))
        interpreter: TemporalInterpreter | None = None
        if options.role is not Role.API:
            interpreter = TemporalInterpreter(connection, worker, options.interpreter, observer)
            readiness.is_polling = interpreter.is_polling
            await stack.enter_async_context(_interpreting(interpreter))
        if options.role is not Role.INTERPRETER:
            assert listening is not None
            if not is_loopback(listening):
                _logger.warning(
                    "the API can be reached from other machines, and lets everybody do everything"
                )
            engine = TemporalEngine(connection, task_queue=options.interpreter.task_queue, eager=interpreter)
            app = LongPollDrain(create_app(engine, worker, options.api, observer))
            await stack.enter_async_context(
                serving(app, listening, drain_seconds=options.drain_seconds, limits=options.api.connection)
            )
            stack.callback(app.drain)
        readiness.phase = Phase.SERVING
        try:
            yield
        finally:
            readiness.phase = Phase.STOPPING
        # Not when something has failed: only who was asked to stop has the time.
        await anyio.sleep(options.pre_stop_seconds)


@asynccontextmanager
async def _interpreting(interpreter: TemporalInterpreter) -> AsyncGenerator[None]:
    async def run(*, task_status: TaskStatus[None]) -> None:
        # Cancelling would lose the tasks in hand; leaving the context stops the interpreter in order.
        with anyio.CancelScope(shield=True):
            await interpreter.run(task_status=task_status)

    async with anyio.create_task_group() as tasks:
        await tasks.start(run)
        try:
            yield
        finally:
            interpreter.stop()


async def _connected(options: ServerOptions) -> Connection:
    pause = 0.1
    deadline = anyio.current_time() + options.connect_within_seconds
    while True:
        try:
            return await connect(options.address, namespace=options.namespace)
        except EngineError as error:
            if anyio.current_time() + pause > deadline:
                raise BackendUnreachable(str(error)) from error
            _logger.info("waiting for Temporal at %s", options.address)
        await anyio.sleep(pause)
        pause = min(5.0, 2 * pause)


async def _prepared(connection: Connection, options: ServerOptions) -> None:
    try:
        await ensure_search_attributes(
            connection, {**REQUIRED_SEARCH_ATTRIBUTES, **options.search_attributes}
        )
    except EngineError as error:
        raise BackendMisconfigured(str(error)) from error
