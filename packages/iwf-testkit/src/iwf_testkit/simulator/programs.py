"""Random workflow programs: the table from which the simulated worker answers.

A program is plain data made from a seed. Its answers depend on the state execution that is called and on
nothing else, so a call that is made again gets the same answer, but for the tokens by which the simulator
tells one attempt's effects from another's. Every program comes to an end: from its fourth execution on a
state is a dead end.
"""

from random import Random
from typing import TypeVar

import msgspec

from iwf_models import (
    CommandCombination,
    CommandRequest,
    CommandWaitingType,
    ExecuteApiFailurePolicy,
    ExecutingStateIdMode,
    InterStateChannelCommand,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    RetryPolicy,
    SignalCommand,
    TimerCommand,
    WaitUntilApiFailurePolicy,
    WorkflowConfig,
    WorkflowStateOptions,
)

T = TypeVar("T")

EXECUTIONS = 3
"""Executions of one state that do what the program says; later ones are dead ends."""

SIGNAL_CHANNELS = ("in", "più")
INTERNAL_CHANNELS = ("in", "out")
DATA_KEYS = ("a", "ab", "b")
SEARCH_KEYS = ("A", "AB")
WAIT_KEYS = ("k1", "k2")

NEXT = "next"
DEAD_END = "dead end"
GRACEFUL = "graceful"
FORCE_COMPLETE = "force complete"
FORCE_FAIL = "force fail"
CONTRADICTION = "contradiction"
CLOSE_ON_INTERNAL = "close if the internal channel is empty"
CLOSE_ON_SIGNAL = "close if the signal channel is empty"
CLOSE_ON_ALL = "close if all channels are empty"


class Movement(msgspec.Struct, frozen=True):
    """A next state of a decision."""

    state_id: str
    wait_for_key: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """What an execute decides."""

    kind: str
    next_states: tuple[Movement, ...] = ()
    channel: str = ""
    """Of a conditional close."""
    with_output: bool = True


class Effects(msgspec.Struct, frozen=True):
    """What an answer writes."""

    publishes: tuple[str, ...] = ()
    """Internal channels; a leading `-` publishes a message without value."""
    data_keys: tuple[str, ...] = ()
    search_keys: tuple[str, ...] = ()


class StatePlan(msgspec.Struct, frozen=True):
    """A state: what it waits for and decides, by the number of the execution."""

    state_id: str
    options: WorkflowStateOptions | None
    requests: tuple[CommandRequest | None, ...]
    decisions: tuple[Decision, ...]
    on_wait_until: Effects = Effects()
    on_execute: Effects = Effects()
    keeps_locals: bool = False


class Program(msgspec.Struct, frozen=True):
    """A workflow."""

    start: str | None
    config: WorkflowConfig
    states: dict[str, StatePlan]
    use_memo: bool = False
    deadline_seconds: int | None = None

    def plan(self, state_id: str) -> StatePlan:
        """The plan of a state; one that was shrunk away is a dead end."""
        return self.states.get(state_id) or StatePlan(state_id, None, (None,), (Decision(DEAD_END),))


def random_program(rng: Random) -> Program:
    """Make up a program."""
    names = [f"S{number}" for number in range(1, rng.randint(2, 4) + 1)]
    states = {name: _state(rng, name, names) for name in names}
    return Program(
        start=None if rng.random() < 0.05 else names[0],
        config=random_config(rng),
        states=states,
        use_memo=rng.random() < 0.1,
        deadline_seconds=rng.choice((None, None, 86_400)),
    )


def random_config(rng: Random) -> WorkflowConfig:
    """Make up the settings of a run."""
    return WorkflowConfig(
        executing_state_id_mode=rng.choice((None, None, *ExecutingStateIdMode)),
        continue_as_new_threshold=rng.choice((None, 0, 0, 1, 1, 2, 3, 5, 12)),
        continue_as_new_page_size_in_bytes=rng.choice((None, None, 0, 1)),
        optimize_activity=rng.choice((None, True)),
        count_held_messages=rng.choice((None, None, True)),
        keep_executing_state_ids_on_close=rng.choice((None, None, None, True)),
    )


def random_locking(rng: Random, keys: tuple[str, ...]) -> PersistenceLoadingPolicy:
    """A policy that locks one key or more."""
    locked = rng.sample(keys, rng.randint(1, min(2, len(keys))))
    return PersistenceLoadingPolicy(
        persistence_loading_type=rng.choice(
            (
                PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
                PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK,
            )
        ),
        locking_keys=locked,
        use_key_as_prefix=True if rng.random() < 0.15 else None,
    )


def _state(rng: Random, name: str, names: list[str]) -> StatePlan:
    plan_of = [_request(rng) for _ in range(rng.randint(1, 2))]
    return StatePlan(
        state_id=name,
        options=_options(rng, names),
        requests=tuple(plan_of),
        decisions=tuple(_decision(rng, names) for _ in range(rng.randint(1, 3))),
        on_wait_until=_effects(rng, 0.25),
        on_execute=_effects(rng, 0.5),
        keeps_locals=rng.random() < 0.2,
    )


def _options(rng: Random, names: list[str]) -> WorkflowStateOptions | None:
    if rng.random() < 0.15:
        return None
    proceeds = rng.random() < 0.5
    both = random_locking(rng, DATA_KEYS) if rng.random() < 0.25 else None
    wait = _loading(rng, DATA_KEYS, 0.2)
    execute = _loading(rng, DATA_KEYS, 0.35)
    return WorkflowStateOptions(
        skip_wait_until=True if rng.random() < 0.3 else None,
        wait_until_api_retry_policy=_retries(rng),
        execute_api_retry_policy=_retries(rng),
        execute_api_timeout_seconds=rng.choice((None, None, 3)),
        wait_until_api_failure_policy=(
            WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE if rng.random() < 0.7 else None
        ),
        execute_api_failure_policy=(
            ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE if proceeds else None
        ),
        execute_api_failure_proceed_state_id="R" if proceeds else None,
        execute_api_failure_proceed_state_options=(
            WorkflowStateOptions(skip_wait_until=True) if proceeds and rng.random() < 0.5 else None
        ),
        data_attributes_loading_policy=both,
        wait_until_api_data_attributes_loading_policy=wait,
        execute_api_data_attributes_loading_policy=execute,
        search_attributes_loading_policy=_loading(rng, SEARCH_KEYS, 0.2),
        execute_api_search_attributes_loading_policy=_loading(rng, SEARCH_KEYS, 0.25),
    )


def _loading(rng: Random, keys: tuple[str, ...], locking: float) -> PersistenceLoadingPolicy | None:
    draw = rng.random()
    if draw < locking:
        return random_locking(rng, keys)
    if draw < locking + 0.1:
        return PersistenceLoadingPolicy(persistence_loading_type=PersistenceLoadingType.LOAD_NONE)
    return None


def _retries(rng: Random) -> RetryPolicy | None:
    if rng.random() < 0.5:
        return None
    return RetryPolicy(
        maximum_attempts=rng.choice((1, 1, 2, 3, None)),
        maximum_attempts_duration_seconds=rng.choice((None, None, 2, 20)),
        initial_interval_seconds=rng.choice((None, None, 3)),
    )


def _effects(rng: Random, often: float) -> Effects:
    publishes: tuple[str, ...] = ()
    if rng.random() < often:
        publishes = tuple(
            rng.choice(("", "", "", "-")) + rng.choice(INTERNAL_CHANNELS) for _ in range(rng.randint(1, 2))
        )
    return Effects(
        publishes=publishes,
        data_keys=tuple(rng.sample(DATA_KEYS, rng.randint(1, 2))) if rng.random() < 0.35 else (),
        search_keys=(rng.choice(SEARCH_KEYS),) if rng.random() < 0.2 else (),
    )


def _decision(rng: Random, names: list[str]) -> Decision:
    kind = rng.choices(
        (
            NEXT,
            DEAD_END,
            GRACEFUL,
            FORCE_COMPLETE,
            FORCE_FAIL,
            CONTRADICTION,
            CLOSE_ON_INTERNAL,
            CLOSE_ON_SIGNAL,
            CLOSE_ON_ALL,
        ),
        (60, 10, 10, 2, 1, 1, 8, 6, 3),
    )[0]
    next_states = tuple(
        Movement(rng.choice(names), rng.choice(WAIT_KEYS) if rng.random() < 0.15 else None)
        for _ in range(rng.choice((1, 1, 2, 2, 3)))
    )
    return Decision(
        kind=kind,
        next_states=next_states,
        channel=rng.choice(SIGNAL_CHANNELS if kind == CLOSE_ON_SIGNAL else INTERNAL_CHANNELS),
        with_output=rng.random() < 0.7,
    )


def _request(rng: Random) -> CommandRequest | None:
    if rng.random() < 0.2:
        return None
    waiting_type = rng.choice(tuple(CommandWaitingType))
    combined = waiting_type is CommandWaitingType.ANY_COMBINATION_COMPLETED
    ids = _Ids(rng, always=combined)
    timers = [_timer(rng, ids) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    signals: list[SignalCommand] = []
    internal: list[InterStateChannelCommand] = []
    for _ in range(rng.choice((0, 1, 1, 2))):
        least, most = _several(rng)
        channel = rng.choice(SIGNAL_CHANNELS)
        signals.append(
            SignalCommand(command_id=ids.take(), signal_channel_name=channel, at_least=least, at_most=most)
        )
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        least, most = _several(rng)
        channel = rng.choice(INTERNAL_CHANNELS)
        internal.append(
            InterStateChannelCommand(
                command_id=ids.take(), channel_name=channel, at_least=least, at_most=most
            )
        )
    if not (timers or signals or internal):
        return None
    combinations = None
    if combined:
        combinations = [
            CommandCombination(command_ids=rng.sample(ids.taken, rng.randint(1, min(2, len(ids.taken)))))
            for _ in range(rng.randint(1, 2))
        ]
    return CommandRequest(
        command_waiting_type=waiting_type,
        timer_commands=timers or None,
        signal_commands=signals or None,
        inter_state_channel_commands=internal or None,
        command_combinations=combinations,
    )


class _Ids:
    """Command ids: few, so that some repeat."""

    def __init__(self, rng: Random, *, always: bool) -> None:
        self._rng = rng
        self._always = always
        self.taken: list[str] = []

    def take(self) -> str | None:
        if not self._always and self._rng.random() < 0.3:
            return None
        self.taken.append(self._rng.choice(("c1", "c2", "c3")))
        return self.taken[-1]


def _timer(rng: Random, ids: _Ids) -> TimerCommand:
    command_id = ids.take()
    if rng.random() < 0.1:
        return TimerCommand(command_id=command_id)
    return TimerCommand(command_id=command_id, duration_seconds=rng.choice((0, 1, 3, 5, 20, 86_400)))


def _several(rng: Random) -> tuple[int | None, int | None]:
    if rng.random() < 0.8:
        return None, None
    least = rng.choice((None, 1, 2))
    return least, rng.choice((None, 2, 3)) if least is not None else rng.choice((1, 2))
