"""The same workflow run in different ways must look the same to its users.

For programs whose result does not depend on the schedule: threads that share no channel, no key and no
state, and inputs that come one after another, each when everything before it has come to rest. Such a
workflow is run without continue-as-new, and then with continue-as-new at every chance, with pages, with calls
made in place, and with tasks that are lost and runs that are evicted. Outputs, what every execute is told,
attributes, messages left over and numbers of executions must not differ.
"""

from collections.abc import Callable
from random import Random

import msgspec

from iwf_interpreter.core import commands, events
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    InterStateChannelCommand,
    SignalCommand,
    TimerCommand,
    WorkflowConfig,
    WorkflowStateOptions,
)
from iwf_testkit.simulator import programs, steps, workers
from iwf_testkit.simulator.engine import Engine
from iwf_testkit.simulator.judge import Judge, Violation
from iwf_testkit.simulator.matching import told_results
from iwf_testkit.simulator.programs import Decision, Effects, Movement, Program, StatePlan
from iwf_testkit.simulator.simulation import Finding, Report

EVERY = 10
"""One in so many seeds is also looked at this way."""

_PLAIN = WorkflowConfig(continue_as_new_threshold=0)
MOST_TURNS = 1000


class Way(msgspec.Struct, frozen=True):
    """A way to run a workflow."""

    name: str
    config: WorkflowConfig
    faults: bool = False


WAYS = (
    Way("at every chance", WorkflowConfig(continue_as_new_threshold=1)),
    Way("in pages", WorkflowConfig(continue_as_new_threshold=1, continue_as_new_page_size_in_bytes=1)),
    Way("in place", WorkflowConfig(continue_as_new_threshold=0, optimize_activity=True)),
    Way("in place, in short runs", WorkflowConfig(continue_as_new_threshold=3, optimize_activity=True)),
    Way("with faults", WorkflowConfig(continue_as_new_threshold=2, optimize_activity=True), faults=True),
)


def compare(seed: int) -> Report | None:
    """Run a confluent workflow in every way; a report of the first one that looks different."""
    rng = Random(-1 - seed)
    threads = rng.randint(1, 3)
    program = _program(rng, threads)
    inputs = _inputs(rng, threads)
    plain = _run(seed, program, inputs, Way("plain", _PLAIN))
    for way in WAYS:
        found = _run(seed, program, inputs, way)
        if found != plain:
            text = f"continue-as-new {way.name}: {_difference(plain, found)}"
            return Report(
                seed=seed,
                program=msgspec.structs.replace(program, config=way.config),
                schedule=tuple(inputs),
                finding=Finding("the_way_of_running_does_not_show", text),
                ending="compared",
                runs=0,
                borders=0,
            )
    return None


def _run(seed: int, program: Program, inputs: list[steps.Step], way: Way) -> dict[str, object]:
    """What users see of one way."""
    engine = Engine(msgspec.structs.replace(program, config=way.config), Judge(seed))
    rng = Random(seed) if way.faults else None
    try:
        _rest(engine, rng)
        for step in inputs:
            engine.take(step)
            _rest(engine, rng)
        return _seen(engine)
    except Violation as violation:
        return {"violation": str(violation)}
    except Exception as error:  # whatever the core raises is a finding
        return {"raised": repr(error)}


def _rest(engine: Engine, rng: Random | None) -> None:
    """Let everything happen that happens by itself, in one fixed order; time stands still."""
    for _ in range(MOST_TURNS):
        if engine.end is not None:
            return
        if engine.task is not None:
            while engine.task.local and not engine.task.is_last:
                engine.finish_local(0)
            if rng is not None and rng.random() < 0.15:
                engine.take(steps.Crash(keeps_results=True))
            else:
                engine.respond()
        elif engine.pending:
            if rng is not None and rng.random() < 0.15:
                engine.take(rng.choice((steps.Evict(), steps.Restore())))
            engine.deliver()
        elif engine.calls:
            engine.answer(0)
        else:
            return
    raise Violation("a_run_comes_to_rest", "it never does")


def _seen(engine: Engine) -> dict[str, object]:
    ledger = engine.judge.ledger
    end = engine.end
    outputs = end.output.state_completion_outputs if isinstance(end, commands.CompleteRun) else ledger.outputs
    return {
        "ending": type(end).__name__,
        "outputs": sorted(repr(output) for output in outputs or ()),
        "told": sorted({name: repr(told_results(results)) for name, results in engine.told}.items()),  # pyright: ignore[reportArgumentType]
        "data": sorted(ledger.data.items()),
        "counts": sorted(ledger.counts.items()),
        "signals": sorted(ledger.signals.items()),
        "internal": sorted(ledger.internal.items()),
        "waiting": sorted(ledger.waiting),
    }


def _difference(plain: dict[str, object], found: dict[str, object]) -> str:
    for name, value in found.items():
        if plain.get(name) != value:
            return f"{name}: {value!r}, otherwise {plain.get(name)!r}"
    return "nothing is left of it"


def _program(rng: Random, threads: int) -> Program:
    states = {
        "M": StatePlan(
            "M",
            WorkflowStateOptions(skip_wait_until=True),
            (None,),
            (Decision(programs.NEXT, tuple(Movement(f"T{n}a") for n in range(threads))),),
        )
    }
    for thread in range(threads):
        names = [f"T{thread}{letter}" for letter in "abc"[: rng.randint(1, 3)]]
        for name in names:
            states[name] = _state(rng, name, names, f"t{thread}", alone=threads == 1)
    return Program(start="M", config=_PLAIN, states=states)


def _state(rng: Random, name: str, names: list[str], own: str, *, alone: bool) -> StatePlan:
    return StatePlan(
        state_id=name,
        options=WorkflowStateOptions(skip_wait_until=True) if rng.random() < 0.2 else None,
        requests=tuple(_request(rng, own) for _ in range(rng.randint(1, 2))),
        decisions=tuple(_decision(rng, names, own, alone=alone) for _ in range(rng.randint(1, 3))),
        on_wait_until=Effects(publishes=(own,) if rng.random() < 0.3 else ()),
        on_execute=Effects(
            publishes=(own,) if rng.random() < 0.4 else (), data_keys=(own,) if rng.random() < 0.5 else ()
        ),
        keeps_locals=rng.random() < 0.3,
    )


def _request(rng: Random, own: str) -> CommandRequest | None:
    signals = [SignalCommand(signal_channel_name=own) for _ in range(rng.choice((0, 1, 1, 2)))]
    internal = [InterStateChannelCommand(channel_name=own) for _ in range(rng.choice((0, 0, 1, 2)))]
    timers = [TimerCommand(duration_seconds=rng.choice((1, 2, 5))) for _ in range(rng.choice((0, 0, 1)))]
    if not (signals or internal or timers):
        return None
    return CommandRequest(
        command_waiting_type=rng.choice((CommandWaitingType.ALL_COMPLETED, CommandWaitingType.ANY_COMPLETED)),
        signal_commands=signals or None,
        inter_state_channel_commands=internal or None,
        timer_commands=timers or None,
    )


def _decision(rng: Random, names: list[str], own: str, *, alone: bool) -> Decision:
    kinds = [programs.NEXT, programs.NEXT, programs.NEXT, programs.DEAD_END, programs.GRACEFUL]
    if alone:
        kinds += [programs.CLOSE_ON_INTERNAL, programs.CLOSE_ON_SIGNAL, programs.FORCE_COMPLETE]
    return Decision(rng.choice(kinds), (Movement(rng.choice(names)),), own, rng.random() < 0.7)


def _inputs(rng: Random, threads: int) -> list[steps.Step]:
    choices: tuple[Callable[[int], steps.Step], ...] = (
        lambda n: steps.Arrive(
            events.SignalReceived(channel_name=f"t{rng.randrange(threads)}", value=workers.token("client", n))
        ),
        lambda _: steps.Advance(rng.choice((500, 1000, 3000))),
        lambda n: steps.Arrive(
            events.TimerSkipped(
                execution_id=f"T{rng.randrange(threads)}{rng.choice('abc')}-{rng.randint(1, 2)}",
                command_index=0,
            )
        ),
    )
    return [rng.choices(choices, (6, 2, 2))[0](number) for number in range(rng.randint(2, 12))]
