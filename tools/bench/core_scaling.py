"""How the core's own cost grows, without any server: what the shell around it cannot make better.

Every call, timer and message is a batch of its own, so the number of batches grows with the size and each
batch must cost the same, however much the run holds.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from iwf_interpreter.contract import LockedRpcRequest, StateTarget
from iwf_interpreter.core import (
    ContinueAsNewRequested,
    LockedRpcRequested,
    SignalReceived,
    StateWaitRequested,
)
from iwf_interpreter.loop.history import UpdateRequest
from iwf_models import EncodedObject, PersistenceLoadingPolicy, PersistenceLoadingType
from tools.bench.answers import CHANNEL
from tools.bench.clock import cheapest
from tools.bench.core_engine import CoreEngine, Spent
from tools.bench.growth import Growth
from tools.bench.shapes import Kind, Shape

SIZES = (8, 32, 128, 512, 2048)
REPEATS = 3

_MESSAGE = SignalReceived(channel_name=CHANNEL, value=EncodedObject(data="1"))
_LOCK = PersistenceLoadingPolicy(
    persistence_loading_type=PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK, locking_keys=["shared"]
)


def states(kind: Kind, size: int, *, in_place: bool = False) -> Spent:
    """A workflow of a shape, from its start to its end."""
    engine = CoreEngine(Shape(kind, size), in_place=in_place)
    engine.run_to_end()
    assert engine.closed
    return engine.spent


def messages(kind: Kind, size: int, *, burst: bool) -> Spent:
    """Messages for one channel: in one batch, or each in a batch of its own."""
    engine = CoreEngine(Shape(kind, size))
    engine.run_to_end()
    if burst:
        engine.task(*[_MESSAGE] * size)
    else:
        for _ in range(size):
            engine.task(_MESSAGE)
    engine.run_to_end()
    assert engine.closed
    return engine.spent


def locked_rpcs(size: int) -> Spent:
    """RPCs that lock one attribute, all at once; each ends before the next one's worker is called."""
    engine = CoreEngine(Shape(Kind.MESSAGES, 1))
    engine.run_to_end()
    request = LockedRpcRequest(rpc_name="change", data_attributes_loading_policy=_LOCK, max_waiting=size)
    engine.task(
        updates=[
            _update(f"u{number}", LockedRpcRequested(update_id=f"u{number}", request=request))
            for number in range(size)
        ]
    )
    return engine.spent


def state_waits(size: int) -> Spent:
    """As many clients, each waiting for another one of as many states in parallel."""
    engine = CoreEngine(Shape(Kind.FAN, size))
    engine.task(
        updates=[
            _update(
                f"u{number}",
                StateWaitRequested(
                    update_id=f"u{number}", target=StateTarget(state_execution_id=f"P-{number + 1}")
                ),
            )
            for number in range(size)
        ]
    )
    engine.run_to_end()
    assert engine.closed
    return engine.spent


def continuing(size: int) -> Spent:
    """Continue as new with as many waiting states: the last batch of one run and the first of the next."""
    engine = CoreEngine(Shape(Kind.MESSAGE_FAN, size))
    engine.run_to_end()
    before = engine.spent.total
    engine.task(ContinueAsNewRequested())
    following = engine.following_run()
    both = [engine.spent.last, following.spent.last]
    return Spent(engine.spent.total - before + following.spent.total, max(both), both[-1])


SCENARIOS: Mapping[str, Callable[[int], Spent]] = {
    "states in a row": partial(states, Kind.ROW),
    "states in a row, in place": partial(states, Kind.ROW, in_place=True),
    "states in parallel": partial(states, Kind.FAN),
    "states in parallel, in place": partial(states, Kind.FAN, in_place=True),
    "states that wait for a timer": partial(states, Kind.TIMER_FAN),
    "timers of one state": partial(states, Kind.SPREAD_TIMERS),
    "states that lock one key": partial(states, Kind.LOCKED_FAN),
    "locked RPCs on one key": locked_rpcs,
    "messages in one batch, one state": partial(messages, Kind.MESSAGES, burst=True),
    "messages one by one, one state": partial(messages, Kind.MESSAGES, burst=False),
    "messages in one batch, as many states": partial(messages, Kind.MESSAGE_FAN, burst=True),
    "messages one by one, as many states": partial(messages, Kind.MESSAGE_FAN, burst=False),
    "clients that wait for a state each": state_waits,
    "continue-as-new with waiting states": continuing,
}


def grow(name: str, sizes: Sequence[int] = SIZES, repeats: int = REPEATS) -> Growth:
    """Measure one scenario at several sizes."""
    scenario = SCENARIOS[name]
    spent = [cheapest(repeats, partial(scenario, size), lambda found: found.total) for size in sizes]
    return Growth(
        name=name,
        sizes=sizes,
        seconds=[each.total for each in spent],
        longest=[each.longest for each in spent],
    )


def _update(update_id: str, event: LockedRpcRequested | StateWaitRequested) -> UpdateRequest:
    return UpdateRequest(update_id=update_id, event=event, message=None)
