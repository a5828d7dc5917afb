"""Which workflows have many RPCs in progress in this process, and which of their RPCs write.

On such a workflow a query waits for one task after the other, and an RPC that writes begins with a query. As
an update it needs no query: the run itself calls the worker, and the answer is written when the call
returns. That has a price (`docs/http-api.md`), so it is only done from a number of RPCs on that is a setting.
"""

from collections.abc import Generator
from contextlib import contextmanager


class BusyWorkflow:
    """A workflow that has RPCs in progress."""

    def __init__(self) -> None:
        self.in_progress = 0
        self._writers: set[str] = set()

    def wrote(self, rpc_name: str) -> None:
        """Note that an RPC has written."""
        self._writers.add(rpc_name)

    def takes_updates(self, rpc_name: str, updates_from: int) -> bool:
        """Whether this RPC should be an update.

        Args:
            rpc_name: It must have written before: one that only reads leaves no trace as a query.
            updates_from: From how many RPCs in progress on; 0 is never.
        """
        return 0 < updates_from <= self.in_progress and rpc_name in self._writers


class BusyWorkflows:
    """What is known of workflows for as long as they have RPCs in progress."""

    def __init__(self) -> None:
        self._workflows: dict[str, BusyWorkflow] = {}

    @contextmanager
    def rpc(self, workflow_id: str) -> Generator[BusyWorkflow]:
        """Count an RPC for the time of the context."""
        workflow = self._workflows.setdefault(workflow_id, BusyWorkflow())
        workflow.in_progress += 1
        try:
            yield workflow
        finally:
            workflow.in_progress -= 1
            if not workflow.in_progress:
                del self._workflows[workflow_id]

    def __len__(self) -> int:
        """How many workflows have RPCs in progress."""
        return len(self._workflows)
