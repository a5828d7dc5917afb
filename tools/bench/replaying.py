"""What a cold replay costs: a run that is not in the cache is rebuilt from its history, event by event."""

import statistics
from collections.abc import Mapping

import msgspec
from temporalio.api.history.v1 import History as HistoryMessage

from iwf_interpreter.loop.runs import Run
from iwf_interpreter.temporal import connect
from iwf_interpreter.temporal.events import EventReader
from tools.bench.clock import cpu_seconds
from tools.bench.driving import drive
from tools.bench.histories import History, chain
from tools.bench.server_scaling import ONE_RUN, ONE_RUN_IN_PLACE
from tools.bench.servers import Bench
from tools.bench.shapes import Kind, Shape

EVENTS = 1000
REPEATS = 50


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Median CPU microseconds for each event."""

    name: str
    events: int
    size_bytes: int
    parsing: float
    """From the bytes of the engine's answer to event objects."""
    feeding: float
    """From event objects to the state of the run, every command checked against the history."""

    def line(self) -> str:
        """The figures."""
        return (
            f"{self.name:<10} {self.events} events, {self.size_bytes} bytes: {self.feeding:.1f} µs an event, "
            f"and {self.parsing:.1f} µs to parse it"
        )


def scenarios(events: int) -> Mapping[str, tuple[Shape, Mapping[str, object]]]:
    """Workflows with about that many events: 12 for a regular state, 2 for one whose calls were in place."""
    return {
        "regular": (Shape(Kind.ROW, max(1, events // 12)), ONE_RUN),
        "in place": (Shape(Kind.ROW, max(1, events // 2)), ONE_RUN_IN_PLACE),
    }


async def measure(
    processes: Bench, name: str, shape: Shape, config: Mapping[str, object], repeats: int = REPEATS
) -> Replay:
    """Run one workflow, read its history and replay it."""
    connection = await connect(processes.temporal_address)
    cost = await drive(processes.iwf, processes.worker_url, shape, config)
    return replay(name, (await chain(connection, cost.workflow_ids[0]))[0], repeats)


def replay(name: str, history: History, repeats: int = REPEATS) -> Replay:
    """Replay a history several times, each time from its bytes."""
    data = HistoryMessage(events=history.events).SerializeToString()
    parsing: list[float] = []
    feeding: list[float] = []
    for _ in range(repeats):
        began = cpu_seconds()
        events = HistoryMessage.FromString(data).events
        parsed = cpu_seconds()
        Run(EventReader(history.workflow_id, history.run_id)).feed(events)
        fed = cpu_seconds()
        parsing.append(parsed - began)
        feeding.append(fed - parsed)
    count = len(history.events)
    return Replay(
        name=name,
        events=count,
        size_bytes=len(data),
        parsing=1e6 * statistics.median(parsing) / count,
        feeding=1e6 * statistics.median(feeding) / count,
    )
