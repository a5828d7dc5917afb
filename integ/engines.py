"""The in-memory engine as a test of the integration suite gets it.

Fixtures cannot be opened on the loop of a test that has one of its own. So what a test on memory asks for is
a wish, and is made from a `MemoryStage` when the test runs.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.worker_client import WorkerClient
from iwf_testkit import FakeWorker, IwfServer, MemoryServer, memory_server

NEEDS_TEMPORAL = frozenset({"connection", "server", "temporal", "uncached_server"})
"""Fixtures of tests that are about Temporal."""

IMPATIENT_URL = "http://iwf.impatient"


class MemoryStage(msgspec.Struct, frozen=True, kw_only=True):
    """A server in memory, a worker, and a way to call both APIs of the server."""

    memory: MemoryServer
    server: IwfServer
    worker: FakeWorker
    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, search_attributes: Mapping[str, str]) -> AsyncGenerator["MemoryStage"]:
        """Begin with nothing."""
        async with memory_server(search_attributes=search_attributes) as memory, FakeWorker() as worker:
            server = IwfServer(url=memory.url, temporal_address="", namespace="", task_queue="")
            async with WorkerClient() as rpc_worker:
                impatient = create_app(
                    memory.engine,
                    rpc_worker,
                    ApiSettings(locked_rpc_max_waiting=2),
                    clock=memory.engine.now,
                )
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(memory.app),
                    mounts={IMPATIENT_URL: httpx.ASGITransport(impatient)},
                    timeout=90,
                ) as http:
                    yield cls(memory=memory, server=server, worker=worker, http=http)

    def give(self, wish: "InMemory") -> object:
        """What a test asks for."""
        return wish.make(self)


class InMemory(msgspec.Struct, frozen=True):
    """What a test on memory asks for."""

    make: Callable[[MemoryStage], object]
