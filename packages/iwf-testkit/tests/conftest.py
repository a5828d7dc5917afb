"""Tests on virtual time: each on an event loop of its own.

The plugin of `anyio` has one loop for all tests while a fixture of a longer scope lives, whichever loop a
test asks for. So what a test on virtual time needs is opened on the loop that it runs on, before it runs.
"""

import inspect
from contextlib import AsyncExitStack

import anyio
import pytest

from iwf_testkit import VirtualTimeLoop
from memory_stage import OnItsLoop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run a test that takes something which must be opened on its loop."""
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    if not any(isinstance(argument, OnItsLoop) for argument in arguments.values()):
        return None

    async def run() -> None:
        async with AsyncExitStack() as stack:
            for name, argument in arguments.items():
                if isinstance(argument, OnItsLoop):
                    arguments[name] = await stack.enter_async_context(argument.open())
            await pyfuncitem.obj(**arguments)

    anyio.run(run, backend_options={"loop_factory": VirtualTimeLoop})
    return True
