"""How long workflow tasks take at the worst: a task that is in hand keeps everything else of its run waiting.

From the histories: the time between a task's start and its completion, on the engine's clock, so with all
that the machine did beside. The CPU that the core needs for a task is told too: its events are fed once more,
task by task, in this process.
"""

from collections.abc import Mapping

import msgspec

from iwf_interpreter.temporal import connect
from tools.bench.driving import drive
from tools.bench.histories import History, chain, feed_seconds, task_milliseconds
from tools.bench.server_scaling import ONE_RUN, ONE_RUN_IN_PLACE
from tools.bench.servers import Bench
from tools.bench.shapes import Kind, Shape

LIMIT_MS = 1000

SCENARIOS: Mapping[str, tuple[Shape, Mapping[str, object]]] = {
    "500 states in parallel, regular": (Shape(Kind.FAN, 500), ONE_RUN),
    "500 states in parallel, in place": (Shape(Kind.FAN, 500), ONE_RUN_IN_PLACE),
    "2,000 messages in a burst": (Shape(Kind.MESSAGES, 2000), ONE_RUN),
    "1,000 timers of one state": (Shape(Kind.TIMERS, 1000), ONE_RUN),
    "1,000 states, a timer each": (Shape(Kind.TIMER_FAN, 1000), ONE_RUN),
    "200 states that lock one key": (Shape(Kind.LOCKED_FAN, 200), ONE_RUN),
}


class TaskTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What the tasks of one workflow took."""

    name: str
    tasks: int
    runs: int
    longest_ms: int
    longest_feed_ms: float
    """CPU milliseconds."""
    server_seconds: float
    """CPU of the server process for the whole workflow."""
    seconds: float

    def line(self) -> str:
        """The figures."""
        return (
            f"{self.name:<33} {self.tasks:>6} {self.runs:>5} {self.longest_ms:>11} "
            f"{self.longest_feed_ms:>16.1f} {self.server_seconds:>12.2f} {self.seconds:>8.1f}"
        )


HEADER = (
    f"{'workflow':<33} {'tasks':>6} {'runs':>5} {'longest ms':>11} {'longest feed ms':>16} "
    f"{'server CPU s':>12} {'wall s':>8}"
)


async def measure(processes: Bench, name: str, shape: Shape, config: Mapping[str, object]) -> TaskTimes:
    """Run one workflow and read its histories."""
    connection = await connect(processes.temporal_address)
    cost = await drive(processes.iwf, processes.worker_url, shape, config)
    histories: list[History] = await chain(connection, cost.workflow_ids[0])
    milliseconds = [each for history in histories for each in task_milliseconds(history)]
    return TaskTimes(
        name=name,
        tasks=len(milliseconds),
        runs=len(histories),
        longest_ms=max(milliseconds),
        longest_feed_ms=1000 * max(max(feed_seconds(history)) for history in histories),
        server_seconds=cost.cpu_seconds,
        seconds=cost.seconds,
    )
