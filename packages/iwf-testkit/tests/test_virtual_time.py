"""The event loop on which waiting takes no time."""

import socket
import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
import pytest

from iwf_testkit import VirtualTimeLoop


def on_virtual_time(main: Callable[[], Awaitable[None]]) -> float:
    """Run a coroutine function on a loop of its own; returns the real seconds that it took."""
    began = time.monotonic()
    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    return time.monotonic() - began


def test_sleeping_takes_no_time() -> None:
    async def main() -> None:
        await anyio.sleep(7 * 24 * 3600)
        assert anyio.current_time() == pytest.approx(7 * 24 * 3600)

    assert on_virtual_time(main) < 5


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append(seconds)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for seconds in (300, 0.5, 60, 3600):
                tasks.start_soon(sleep, seconds)

    on_virtual_time(main)

    assert woken == [0.5, 60, 300, 3600]


def test_deadlines_go_by_the_same_clock() -> None:
    async def main() -> None:
        with anyio.move_on_after(3600) as scope:
            await anyio.sleep(3601)
        assert scope.cancelled_caught
        assert anyio.current_time() == pytest.approx(3600)

    on_virtual_time(main)


def test_time_stands_still_while_something_runs() -> None:
    async def main() -> None:
        before = anyio.current_time()
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert anyio.current_time() == before

    on_virtual_time(main)


def test_time_does_not_skip_while_a_thread_is_waited_for() -> None:
    async def main() -> None:
        with anyio.fail_after(30):
            assert await anyio.to_thread.run_sync(sum, (1, 2)) == 3

    on_virtual_time(main)


def test_both_ends_of_a_socket_may_be_on_the_loop() -> None:
    async def main() -> None:
        async def answer(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.receive()
                await anyio.sleep(1000)
                await stream.send(b"late")

        listener = await anyio.create_tcp_listener(
            local_host="127.0.0.1", local_port=0, family=socket.AF_INET
        )
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"hello")
                assert await stream.receive() == b"late"
            assert anyio.current_time() == pytest.approx(1000)
            tasks.cancel_scope.cancel()

    assert on_virtual_time(main) < 5
