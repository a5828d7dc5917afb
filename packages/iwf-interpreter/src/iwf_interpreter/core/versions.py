"""Behaviour versions: which rules a run follows.

A run keeps the version that its input names. A change in what the core commands for the same events gets
the next number, a branch on `ExecutionState.interpreter_version` where it matters, and a line here.

    1   first version
"""

NEWEST_VERSION = 1
"""The version that new runs get."""


class UnknownVersion(Exception):
    """The run was started by a newer build; it must wait for one, so its task fails and is tried again."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"run has interpreter version {version}, this build knows up to {NEWEST_VERSION}: "
            "it waits for a newer interpreter"
        )


def check_version(version: int) -> None:
    """Raise `UnknownVersion` unless this build knows the rules of `version`."""
    if not 1 <= version <= NEWEST_VERSION:
        raise UnknownVersion(version)
