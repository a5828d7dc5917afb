"""The run that every test of the core drives."""

from collections.abc import Iterator

import pytest

from core_driver import Driver


@pytest.fixture
def run() -> Iterator[Driver]:
    """A run that is not started yet; afterwards its replay and its restored twin are checked."""
    driver = Driver()
    yield driver
    driver.check()
