"""Reports in plain words: a program, a schedule step by step, what was found, and how to see it again."""

from collections.abc import Iterator

import msgspec

from iwf_testkit.simulator.programs import Effects, Program, StatePlan
from iwf_testkit.simulator.simulation import Report, replay


def described(report: Report) -> str:
    """A finding with the program and the schedule that lead to it, as numbered lines."""
    lines: list[str] = []
    replay(report.seed, report.program, report.schedule, log=lines.append)
    numbered = [line if line.startswith(" ") else f"{line}" for line in lines]
    text = [f"seed {report.seed}: {len(report.schedule)} steps, {report.runs} runs, {report.ending}"]
    text += ["the workflow:", *(f"  {line}" for line in program_lines(report.program))]
    text += ["what happens:", *(f"  {number:>3}  {line}" for number, line in enumerate(numbered, 1))]
    if report.finding is not None:
        text += [f"broken: {report.finding.invariant}", f"  {report.finding.text}"]
    text.append(f"see it again: {report.reproduce}")
    return "\n".join(text)


def program_lines(program: Program) -> Iterator[str]:
    """What a program does."""
    yield f"starts with {program.start}, config {_json(program.config)}"
    if program.use_memo:
        yield "memo mode"
    for plan in program.states.values():
        yield from _plan_lines(plan)


def _plan_lines(plan: StatePlan) -> Iterator[str]:
    yield f"{plan.state_id}: options {_json(plan.options)}"
    if any(plan.requests):
        yield f"    waits for {' or '.join(_json(request) for request in plan.requests)}"
    for number, decision in enumerate(plan.decisions, 1):
        names = ", ".join(each.state_id for each in decision.next_states)
        channel = f" {decision.channel!r}" if decision.kind.startswith("close") else ""
        next_states = f" -> {names}" if decision.kind == "next" or decision.kind.startswith("c") else ""
        yield f"    decides {number}: {decision.kind}{channel}{next_states}"
    yield from _effect_lines("waitUntil", plan.on_wait_until)
    yield from _effect_lines("execute", plan.on_execute)


def _effect_lines(when: str, effects: Effects) -> Iterator[str]:
    if effects != Effects():
        parts = [f"publishes to {', '.join(effects.publishes)}"] if effects.publishes else []
        parts += [f"writes {', '.join((*effects.data_keys, *effects.search_keys))}"]
        yield f"    {when} {' and '.join(parts)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
