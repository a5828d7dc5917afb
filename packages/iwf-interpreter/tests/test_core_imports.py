"""The core stays a pure library: importing all of it brings in no engine, no event loop, no I/O library."""

import json
import subprocess
import sys

# msgspec comes first, so that what it imports for itself is not counted against the core.
PROBE = """
import importlib, json, pkgutil, sys
import msgspec
before = set(sys.modules)
core = importlib.import_module("iwf_interpreter.core")
for module in pkgutil.walk_packages(core.__path__, "iwf_interpreter.core."):
    importlib.import_module(module.name)
print(json.dumps({"all": sorted(sys.modules), "new": sorted(set(sys.modules) - before)}))
"""


def modules_after_importing_the_core() -> dict[str, list[str]]:
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert probe.returncode == 0, probe.stderr
    return json.loads(probe.stdout)


def test_core_brings_in_neither_an_engine_nor_an_event_loop() -> None:
    modules = modules_after_importing_the_core()["all"]

    assert {"temporalio", "asyncio"}.isdisjoint(modules)


def test_core_needs_only_the_standard_library_msgspec_the_models_and_the_contract() -> None:
    new = modules_after_importing_the_core()["new"]

    foreign = {name.partition(".")[0] for name in new} - sys.stdlib_module_names
    siblings = {name.split(".")[1] for name in new if name.startswith("iwf_interpreter.")}
    assert foreign <= {"msgspec", "iwf_models", "iwf_interpreter"}
    assert siblings <= {"core", "contract"}
