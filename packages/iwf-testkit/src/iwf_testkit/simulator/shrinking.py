"""Makes a failing schedule short enough to read.

Steps are dropped in ever smaller pieces as long as the same invariant stays broken, then the program is
made simpler: states are taken out, options and effects left off, settings back to their defaults.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from iwf_models import WorkflowConfig
from iwf_testkit.simulator.programs import Effects, Program, StatePlan
from iwf_testkit.simulator.simulation import Report, replay
from iwf_testkit.simulator.steps import Step

T = TypeVar("T", bound=msgspec.Struct)

_MOST_PLAYS = 3000


def shrink(report: Report) -> Report:
    """The shortest report found that breaks the same invariant; the same one if it breaks none."""
    if report.finding is None:
        return report
    shrinker = _Shrinker(report)
    shrinker.run()
    return shrinker.best


class _Shrinker:
    def __init__(self, report: Report) -> None:
        assert report.finding is not None
        self.best = report
        self._broken = report.finding.invariant
        self._plays = 0

    def run(self) -> None:
        """Shrink until nothing more can be left out."""
        before: tuple[Program, tuple[Step, ...]] | None = None
        while before != (self.best.program, self.best.schedule):
            before = (self.best.program, self.best.schedule)
            self._drop_steps()
            for simpler in _simpler_programs(self.best.program):
                self._try(simpler(self.best.program), self.best.schedule)

    def _drop_steps(self) -> None:
        size = max(1, len(self.best.schedule) // 2)
        while size:
            position = 0
            while position < len(self.best.schedule):
                schedule = self.best.schedule
                if not self._try(self.best.program, schedule[:position] + schedule[position + size :]):
                    position += size
            size //= 2

    def _try(self, program: Program, schedule: Sequence[Step]) -> bool:
        if self._plays >= _MOST_PLAYS or (program == self.best.program and schedule == self.best.schedule):
            return False
        self._plays += 1
        report = replay(self.best.seed, program, schedule)
        if report.finding is None or report.finding.invariant != self._broken:
            return False
        self.best = report
        return True


def _simpler_programs(program: Program) -> Iterator[Callable[[Program], Program]]:
    for field in WorkflowConfig.__struct_fields__:
        if getattr(program.config, field) is not None:
            yield lambda p, field=field: _with(p, config=_with(p.config, **{field: None}))
    yield lambda p: _with(p, use_memo=False, deadline_seconds=None)
    for name in program.states:
        yield lambda p, name=name: _with(
            p, states={other: plan for other, plan in p.states.items() if other != name}
        )
        for change in (
            {"options": None},
            {"requests": (None,)},
            {"on_wait_until": Effects()},
            {"on_execute": Effects()},
            {"keeps_locals": False},
        ):
            yield lambda p, name=name, change=change: _with_state(p, name, **change)
        plan = program.states[name]
        for position in range(len(plan.decisions)):
            yield lambda p, name=name, position=position: _with_state(
                p, name, decisions=p.plan(name).decisions[position : position + 1]
            )


def _with_state(program: Program, name: str, **changes: object) -> Program:
    plan = program.states.get(name)
    if plan is None or not changes.get("decisions", True):
        return program
    changed: StatePlan = _with(plan, **changes)
    return _with(program, states={**program.states, name: changed})


def _with(struct: T, **changes: object) -> T:
    return msgspec.structs.replace(struct, **changes)
