"""Each package as its users get it: its wheel, alone in a fresh environment.

The workspace installs everything at once and from source, so it cannot notice a dependency that a package
forgot to declare, or a file that its wheel leaves out. Siblings come from the wheels built here, and third
parties from the package index, at the versions of `uv.lock`.
"""

import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tools import tasks

pytestmark = pytest.mark.timeout(600)

PACKAGES = sorted(path.parent for path in (tasks.ROOT / "packages").glob("*/pyproject.toml"))
IDS = [package.name for package in PACKAGES]

MODULES_OF_EXTRAS = {"iwf-interpreter": {"temporal": "iwf_interpreter.temporal"}}
"""What an extra is for, by package and extra: every other module must do without the extra."""

IMPORT_MODULES = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def uv(*arguments: str | Path) -> str:
    """Run uv in the root of the repository and return what it printed."""
    command = [tasks.find_uv() or tasks.fetch_uv(), *map(str, arguments)]
    return run(*command)


def run(*command: str) -> str:
    result = subprocess.run(command, cwd=tasks.ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def project(package: Path) -> dict[str, Any]:
    """The `project` table of a package's `pyproject.toml`."""
    return tomllib.loads((package / "pyproject.toml").read_text())["project"]


def module_name(package: Path) -> str:
    return package.name.replace("-", "_")


def modules_of(package: Path) -> list[str]:
    """The names of a package's modules, from its source files."""
    source = package / "src"
    files = (path.relative_to(source).with_suffix("") for path in source.rglob("*.py"))
    return sorted(".".join(file.parts).removesuffix(".__init__") for file in files)


def is_within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every package's wheel, by the name of the package."""
    folder = tmp_path_factory.mktemp("wheels")
    run(*tasks.build_command(tasks.find_uv() or tasks.fetch_uv(), folder))
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def constraints(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A constraints file: siblings are the wheels built here, third parties are as locked."""
    siblings = [f"{name} @ {wheel.as_uri()}" for name, wheel in wheels.items()]
    locked = uv("export", "--frozen", "--no-hashes", "--no-emit-workspace", "--no-header", "--no-annotate")
    file = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    file.write_text("\n".join([*siblings, locked]))
    return file


def install(requirement: str, *, constraints: Path, environment: Path) -> Path:
    """Install one requirement into a fresh environment, and return the environment's Python."""
    python = environment / "bin" / "python"
    uv("venv", "--python", sys.executable, environment)
    uv("pip", "install", "--python", python, "--constraint", constraints, requirement)
    return python


def test_every_package_has_a_wheel(wheels: dict[str, Path]) -> None:
    assert sorted(wheels) == IDS


@pytest.mark.parametrize("package", PACKAGES, ids=IDS)
def test_modules_import_from_the_wheel_alone(
    package: Path, wheels: dict[str, Path], constraints: Path, tmp_path: Path
) -> None:
    left_out = MODULES_OF_EXTRAS.get(package.name, {}).values()
    modules = [name for name in modules_of(package) if not any(is_within(name, each) for each in left_out)]
    requirement = f"{package.name} @ {wheels[package.name].as_uri()}"

    python = install(requirement, constraints=constraints, environment=tmp_path / "env")

    run(str(python), "-I", "-c", IMPORT_MODULES, *modules)


@pytest.mark.parametrize(
    ("name", "extra"), [(name, extra) for name, extras in MODULES_OF_EXTRAS.items() for extra in extras]
)
def test_modules_import_from_the_wheel_with_its_extra(
    name: str, extra: str, wheels: dict[str, Path], constraints: Path, tmp_path: Path
) -> None:
    requirement = f"{name}[{extra}] @ {wheels[name].as_uri()}"

    python = install(requirement, constraints=constraints, environment=tmp_path / "env")

    run(str(python), "-I", "-c", IMPORT_MODULES, *modules_of(tasks.ROOT / "packages" / name))


@pytest.mark.parametrize("package", PACKAGES, ids=IDS)
def test_wheel_says_what_its_project_says(package: Path, wheels: dict[str, Path]) -> None:
    declared = project(package)
    dist_info = f"{module_name(package)}-{declared['version']}.dist-info"

    with zipfile.ZipFile(wheels[package.name]) as wheel:
        metadata = message_from_bytes(wheel.read(f"{dist_info}/METADATA"))

    assert {
        "name": metadata["Name"],
        "version": metadata["Version"],
        "license": metadata["License-Expression"],
        "license-files": metadata.get_all("License-File"),
        "requires-python": metadata["Requires-Python"],
    } == {key: declared[key] for key in ("name", "version", "license", "license-files", "requires-python")}


@pytest.mark.parametrize("package", PACKAGES, ids=IDS)
def test_wheel_has_the_module_its_type_marker_and_the_license_and_nothing_else(
    package: Path, wheels: dict[str, Path]
) -> None:
    module = module_name(package)
    dist_info = f"{module}-{project(package)['version']}.dist-info"

    with zipfile.ZipFile(wheels[package.name]) as wheel:
        names = wheel.namelist()
        license_text = wheel.read(f"{dist_info}/licenses/LICENSE")

    assert {name.partition("/")[0] for name in names} == {module, dist_info}
    assert f"{module}/py.typed" in names
    assert license_text == (tasks.ROOT / "LICENSE").read_bytes()
