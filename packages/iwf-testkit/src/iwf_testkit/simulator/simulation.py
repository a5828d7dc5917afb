"""One seed from its beginning to its end: a program, a schedule, and what came of it."""

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from iwf_interpreter.core import commands
from iwf_testkit.simulator import steps
from iwf_testkit.simulator.engine import Engine
from iwf_testkit.simulator.judge import Judge, Violation
from iwf_testkit.simulator.programs import Program, random_program
from iwf_testkit.simulator.scheduling import Scheduler

FEWEST_STEPS = 8
MOST_STEPS = 80
MOST_TURNS = 600
"""More than any program needs to come to rest."""


class Finding(msgspec.Struct, frozen=True):
    """What was found wrong."""

    invariant: str
    text: str


class Report(msgspec.Struct, frozen=True):
    """What came of one seed."""

    seed: int
    program: Program
    schedule: tuple[steps.Step, ...]
    finding: Finding | None
    ending: str
    """How the workflow ended, or that it waits."""
    runs: int
    borders: int

    @property
    def reproduce(self) -> str:
        """The command that plays this seed alone."""
        return f"python -m iwf_testkit.simulator --seed {self.seed} --verbose"


def simulate(seed: int, *, log: Callable[[str], None] | None = None) -> Report:
    """Make up a program and a schedule from a seed, and play them."""
    rng = Random(seed)
    program = random_program(rng)
    scheduler = Scheduler(rng, program)
    schedule: list[steps.Step] = []
    length = rng.randint(FEWEST_STEPS, MOST_STEPS)

    def live(engine: Engine) -> steps.Step | None:
        if len(schedule) >= length:
            return None
        schedule.append(scheduler.step(engine))
        return schedule[-1]

    return _play(seed, program, schedule, live, log)


def replay(
    seed: int, program: Program, schedule: Sequence[steps.Step], *, log: Callable[[str], None] | None = None
) -> Report:
    """Play a recorded schedule, or a part of one."""
    rest = list(schedule)
    return _play(seed, program, list(schedule), lambda _: rest.pop(0) if rest else None, log)


def _play(
    seed: int,
    program: Program,
    schedule: list[steps.Step],
    next_step: Callable[[Engine], steps.Step | None],
    log: Callable[[str], None] | None,
) -> Report:
    judge = Judge(seed)
    engine = Engine(program, judge, log)
    finding: Finding | None = None
    try:
        while engine.end is None and (step := next_step(engine)) is not None:
            engine.take(step)
        come_to_rest(engine)
    except Violation as violation:
        finding = Finding(violation.invariant, violation.text)
    except Exception as error:  # whatever the core raises is a finding
        finding = Finding(f"the_core_never_raises/{type(error).__name__}", str(error))
    return Report(
        seed=seed,
        program=program,
        schedule=tuple(schedule),
        finding=finding,
        ending=_ending(engine),
        runs=engine.runs,
        borders=judge.borders,
    )


def come_to_rest(engine: Engine) -> None:
    """Let everything that is under way come to its end: no more faults, and every call succeeds."""
    if engine.log is not None and engine.end is None:
        engine.log("then everything is delivered and answered")
    for _ in range(MOST_TURNS):
        if engine.end is not None:
            return
        if engine.task is not None:
            while engine.task.local and not engine.task.is_last:
                engine.finish_local(0)
            engine.respond()
        elif engine.pending or engine.updates:
            engine.deliver()
        elif engine.local:
            # Calls in place that outlived their task go on in the next one.
            engine.resume_task()
        elif engine.calls:
            engine.answer(0)
        elif engine.timer is not None:
            engine.advance(max(0, engine.timer[1] - engine.now_ms))
        else:
            if engine.evicted:
                engine.deliver()
            engine.judge.at_rest(engine.core)
            return
    raise Violation("a_run_comes_to_rest", f"it is still busy after {MOST_TURNS} turns")


def _ending(engine: Engine) -> str:
    match engine.end:
        case None:
            return "waits"
        case commands.FailRun():
            return f"failed with {engine.end.error_type.value}"
        case _:
            return type(engine.end).__name__
