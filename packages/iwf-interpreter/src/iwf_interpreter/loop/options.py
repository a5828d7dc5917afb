"""Sizes and limits of one task loop."""

import msgspec


class LoopOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and limits of one loop."""

    max_cached_workflows: int = 1000
    """Runs kept in memory between tasks; 0 replays every task from its history."""
    max_cached_bytes: int = 512 * 1024 * 1024
    """About how much they may hold together: the length of the events that they were fed."""
    max_concurrent_workflow_tasks: int = 100
    max_concurrent_activities: int = 200
    """Calls to workers at a time that the engine has handed out."""
    max_concurrent_local_calls: int = 200
    """Calls to workers at a time that are made in place."""
    heartbeat_seconds: float = 5.0
    """How long a task is kept for calls in place, at most; less than the engine's time limit, 10 s."""
    impatient_seconds: float = 0.8
    """As `heartbeat_seconds`, when there is something to answer the task with."""
    workflow_task_pollers: int = 4
    """Polls of each of the two task queues, at least 2."""
    activity_task_pollers: int = 4
    release_seconds: float = 2.0
    """How long after a stop the tasks of cached runs are still taken, so that busy runs can move."""
    drain_seconds: float = 30.0
    """How long calls in flight may go on after `TaskLoop.stop`."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")


_LEAST = {
    "max_cached_workflows": 0,
    "max_cached_bytes": 0,
    "max_concurrent_local_calls": 1,
    "heartbeat_seconds": 0,
    "impatient_seconds": 0,
    "max_concurrent_workflow_tasks": 1,
    "max_concurrent_activities": 1,
    "workflow_task_pollers": 1,
    "activity_task_pollers": 1,
    "release_seconds": 0,
    "drain_seconds": 0,
}
