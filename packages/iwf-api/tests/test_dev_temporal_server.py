"""The Temporal development server as a child process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import httpx
import pytest

from iwf_api.dev import tether
from iwf_api.dev.ports import free_port
from iwf_api.dev.temporal_server import (
    TemporalDevServer,
    TemporalServerFailed,
    TemporalServerOptions,
    temporal_binary,
)

pytestmark = pytest.mark.anyio

PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def options(folder: Path, *, port: int = 0, db: Path | None = None) -> TemporalServerOptions:
    return TemporalServerOptions(
        port=port or free_port(),
        http_port=free_port(),
        metrics_port=free_port(),
        ui_port=None,
        db=db,
        log=folder / "logs" / "temporal.log",
        namespace="tests",
        search_attributes={"Color": "Keyword"},
    )


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


async def search_attributes(server: TemporalServerOptions) -> dict[str, str]:
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{server.http_port}/api/v1/namespaces/tests/search-attributes"
        return (await http.get(url)).raise_for_status().json()["customAttributes"]


async def test_server_is_ready_inside_and_gone_after_the_context(tmp_path: Path) -> None:
    wanted = options(tmp_path)

    async with TemporalDevServer(wanted) as server:
        registered = await search_attributes(wanted)
        socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))).close()

    await gone(server.pid)
    assert registered == {
        "IwfWorkflowType": "INDEXED_VALUE_TYPE_KEYWORD",
        "IwfExecutingStateIds": "INDEXED_VALUE_TYPE_KEYWORD_LIST",
        "IwfGlobalWorkflowVersion": "INDEXED_VALUE_TYPE_INT",
        "Color": "INDEXED_VALUE_TYPE_KEYWORD",
    }


async def test_data_file_is_written_and_opened_again(tmp_path: Path) -> None:
    db = tmp_path / "deep" / "dev.db"

    for _ in range(2):
        wanted = options(tmp_path, db=db)
        async with TemporalDevServer(wanted):
            assert "Color" in await search_attributes(wanted)

    assert db.stat().st_size > 0


async def test_server_that_cannot_start_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = TemporalDevServer(options(tmp_path, port=taken.getsockname()[1]))

        with pytest.raises(
            TemporalServerFailed, match=r"did not start; the end of .*temporal\.log:\n.*in use"
        ):
            await server.__aenter__()

    await gone(server.pid)


async def test_server_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    async with TemporalDevServer(options(tmp_path)) as server:
        os.kill(server.pid, signal.SIGKILL)

        with pytest.raises(TemporalServerFailed, match=r"ended with code -9; the end of .*temporal\.log:"):
            await server.wait()


async def test_cancelled_start_leaves_no_child(tmp_path: Path) -> None:
    server = TemporalDevServer(options(tmp_path))

    with anyio.move_on_after(0.02) as scope:
        await server.__aenter__()

    assert scope.cancelled_caught
    await gone(server.pid)


async def test_child_does_not_outlive_a_killed_parent() -> None:
    command = [sys.executable, "-c", PARENT, tether.__file__]
    async with await anyio.open_process(command) as parent:
        assert parent.stdout is not None
        child = int(await parent.stdout.receive())
        alive_before = is_alive(child)
        parent.kill()

    await gone(child)
    assert alive_before


def test_child_of_a_parent_that_is_gone_does_not_start() -> None:
    command = [sys.executable, "-I", "-S", tether.__file__, "1", "/bin/echo", "started"]

    done = subprocess.run(command, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (1, b"")


def test_binary_beside_python_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("beside", "on-path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "temporal").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "on-path"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "beside" / "python"))
    beside = temporal_binary()
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    assert (beside, temporal_binary()) == (
        str(tmp_path / "beside" / "temporal"),
        str(tmp_path / "on-path" / "temporal"),
    )
