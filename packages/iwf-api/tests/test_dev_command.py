"""`iwf-server dev` as people run it: a process of its own, on free ports."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import Process

pytestmark = pytest.mark.anyio

IWF_SERVER = [sys.executable, "-c", "from iwf_api.cli import main; main()"]
FREE_PORTS = ["--port=0", "--temporal-port=0", "--ui-port=0"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class DevServer:
    """A development server that has printed its addresses."""

    process: Process
    addresses: dict[str, Any]

    async def ended(self) -> tuple[int, str]:
        """Exit code and standard error, once the process is gone."""
        assert self.process.stderr is not None
        text = b"".join([chunk async for chunk in self.process.stderr])
        return await self.process.wait(), text.decode()


async def printed(process: Process, *, until: str) -> str:
    """What a process prints up to a text."""
    assert process.stdout is not None
    text = ""
    with anyio.fail_after(30):
        while until not in text:
            text += (await process.stdout.receive()).decode()
    return text


@asynccontextmanager
async def dev_server(folder: Path, *arguments: str) -> AsyncGenerator[DevServer]:
    command = [*IWF_SERVER, "dev", *FREE_PORTS, "--output=json", *arguments]
    async with await anyio.open_process(command, cwd=folder, start_new_session=True) as process:
        try:
            yield DevServer(process, json.loads(await printed(process, until="\n")))
        finally:
            if process.returncode is None:
                process.kill()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet asked for its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    with anyio.fail_after(10):
        while is_alive(pid):
            await anyio.sleep(0.02)


async def healthy(addresses: dict[str, Any]) -> bool:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{addresses['api']}/info/healthcheck")).json()["condition"] == "OK"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
async def test_signal_stops_everything_in_order(tmp_path: Path, stop: signal.Signals) -> None:
    options = ("--namespace=mine", "--task-queue=queue", "--admin-port=0")
    async with dev_server(tmp_path, *options) as server:
        addresses = server.addresses
        assert await healthy(addresses)
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{addresses['admin']}/readyz")).json()["ready"]
            assert (await http.get(addresses["ui"])).is_success
            assert (await http.get(addresses["temporal_metrics"])).is_success
        server.process.send_signal(stop)
        code, errors = await server.ended()

    await gone(addresses["temporal_pid"])
    assert (code, errors) == (0, "")
    assert {name: addresses[name] for name in ("namespace", "task_queue", "pid", "db", "temporal_log")} == {
        "namespace": "mine",
        "task_queue": "queue",
        "pid": server.process.pid,
        "db": str(tmp_path / ".iwf" / "dev.db"),
        "temporal_log": str(tmp_path / ".iwf" / "temporal.log"),
    }


async def test_killed_server_leaves_nothing_behind_and_its_file_can_be_used_again(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--db=data/my.db") as first:
        first.process.kill()
        await first.ended()
        await gone(first.addresses["temporal_pid"])

    async with dev_server(tmp_path, "--db=data/my.db") as second:
        assert second.addresses["db"] == str(tmp_path / "data" / "my.db")
        assert await healthy(second.addresses)


async def test_second_server_on_a_file_is_refused(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--db=my.db") as first:
        (tmp_path / "alias.db").symlink_to("my.db")

        done = await anyio.run_process(
            [*IWF_SERVER, "dev", *FREE_PORTS, "--db=alias.db"], cwd=tmp_path, check=False
        )

    addresses = first.addresses
    assert (done.returncode, done.stdout) == (1, b"")
    places = f"API {addresses['api']}, Temporal {addresses['temporal']}, UI {addresses['ui']}"
    assert done.stderr.decode() == (
        f"iwf-server: {tmp_path / 'my.db'} is in use by process {first.process.pid} ({places}): "
        "stop that server, or use another file with --db\n"
    )


async def test_search_attribute_is_added_to_an_existing_file_and_keeps_its_type(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--db=my.db") as server:
        server.process.kill()
        await server.ended()
    async with dev_server(tmp_path, "--db=my.db", "--search-attribute=Size=Int") as server:
        server.process.kill()
        await server.ended()

    done = await anyio.run_process(
        [*IWF_SERVER, "dev", *FREE_PORTS, "--db=my.db", "--search-attribute=Size=Text"],
        cwd=tmp_path,
        check=False,
    )

    assert (done.returncode, done.stdout) == (78, b"")
    assert done.stderr.decode() == (
        "iwf-server: search attribute 'Size' has the type Int in namespace 'default', iWF needs Text\n"
    )


async def test_death_of_temporal_ends_the_server_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--ephemeral") as server:
        subprocess.run(["kill", "-9", str(server.addresses["temporal_pid"])], check=True)  # noqa: ASYNC221
        code, errors = await server.ended()

    log = server.addresses["temporal_log"]
    assert code == 1
    assert f"iwf-server: the Temporal server ended with code -9; the end of {log}:" in errors
    assert "db" not in server.addresses


async def test_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--ephemeral") as server:
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGTERM)
        code, _ = await server.ended()

    # Signals that are sent together may be delivered in either order.
    assert code in (128 + signal.SIGINT, 128 + signal.SIGTERM)


async def test_existing_temporal_is_used_and_left_alone(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--ephemeral", "--search-attribute=Color=Keyword") as first:
        address = first.addresses["temporal"]
        command = [*IWF_SERVER, "dev", "--port=0", "--output=json", f"--address={address}"]
        async with await anyio.open_process(command, cwd=tmp_path) as second:
            addresses = json.loads(await printed(second, until="\n"))
            second.terminate()
            assert await second.wait() == 0
        assert await healthy(first.addresses)

    assert addresses == {
        "api": addresses["api"],
        "temporal": address,
        "namespace": "default",
        "task_queue": "iwf-interpreter",
        "pid": second.pid,
    }


async def test_start_says_where_it_is_and_stops_in_order(tmp_path: Path) -> None:
    async with dev_server(tmp_path, "--ephemeral") as dev:
        address = dev.addresses["temporal"]
        command = [*IWF_SERVER, "start", "--port=0", "--role=api", f"--address={address}"]
        async with await anyio.open_process(command, cwd=tmp_path) as process:
            line = await printed(process, until="\n")
            process.terminate()
            code = await process.wait()

    assert code == 0
    assert "is ready: role api, API on http://127.0.0.1:" in line
    assert line.endswith(f", Temporal {address}, namespace default, task queue iwf-interpreter\n")


async def test_banner_shows_where_everything_is(tmp_path: Path) -> None:
    command = [*IWF_SERVER, "dev", *FREE_PORTS, "--admin-port=0"]
    async with await anyio.open_process(command, cwd=tmp_path) as process:
        text = await printed(process, until="healthcheck")
        process.terminate()
        assert await process.wait() == 0

    assert "iWF development server is ready. Ctrl-C stops it." in text
    assert str(tmp_path / ".iwf" / "dev.db") in text
    for row in ("iWF API", "admin", "Temporal UI", "Temporal", "namespace", "task queue", "metrics", "log"):
        assert f"\n  {row} " in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
async def test_signal_during_the_wait_for_temporal_stops_in_order(number: signal.Signals) -> None:
    command = [*IWF_SERVER, "--log-level=INFO", "start", "--role=interpreter", "--address=127.0.0.1:1"]
    async with await anyio.open_process(command) as process:
        assert process.stderr is not None
        text = b""
        while b"waiting for Temporal at 127.0.0.1:1" not in text:
            text += await process.stderr.receive()
        process.send_signal(number)
        code = await process.wait()

    assert code == 0
