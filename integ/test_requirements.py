"""Every requirement has a test that says so, and every test names requirements that exist.

Tests are read, not run: a mark counts wherever it stands in the end-to-end suite, and must name its ids as
literal strings.
"""

import ast
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

INTEG = Path(__file__).parent

SOURCES = {"schema", "reference server", "ours"}

REQUIREMENTS: list[dict[str, Any]] = tomllib.loads((INTEG / "requirements.toml").read_text())["requirement"]


def marks_of(path: Path) -> list[str]:
    """The ids that a module names; fails for an id that is no literal."""
    ids: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
            for argument in node.args:
                assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}"
                assert isinstance(argument.value, str), f"{path}:{node.lineno}"
                ids.append(argument.value)
    return ids


@pytest.fixture(scope="module")
def marked() -> Counter[str]:
    """How many tests name each id."""
    return Counter(mark for path in sorted(INTEG.rglob("test_*.py")) for mark in marks_of(path))


def test_every_requirement_has_a_test(marked: Counter[str]) -> None:
    assert [entry["id"] for entry in REQUIREMENTS if not marked[entry["id"]]] == []


def test_every_mark_names_a_requirement(marked: Counter[str]) -> None:
    assert marked.keys() - {entry["id"] for entry in REQUIREMENTS} == set()


def test_requirements_are_complete_and_distinct() -> None:
    for entry in REQUIREMENTS:
        assert entry.keys() == {"id", "source", "sentence"}, entry
        assert entry["source"] in SOURCES, entry
        assert entry["sentence"].endswith("."), entry
        assert entry["sentence"].count(". ") == 0, entry
    for field in ("id", "sentence"):
        counts = Counter(entry[field] for entry in REQUIREMENTS)
        assert [text for text, count in counts.items() if count > 1] == []


def test_every_conformance_test_names_a_requirement() -> None:
    for path in sorted((INTEG / "conformance").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name.startswith("test_"):
                decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
                assert any(text.startswith("pytest.mark.requirement(") for text in decorators), node.name
