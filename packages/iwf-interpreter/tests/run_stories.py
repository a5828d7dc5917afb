"""One run in the cache of a loop, and the history that its tasks make."""

from collections.abc import Sequence

from iwf_interpreter.core import (
    WaitUntilAnswered,
)
from iwf_interpreter.loop.history import (
    Border,
    Echo,
    Fact,
    HeldBack,
    Item,
    LocalResult,
    Outgoing,
    UpdateRequest,
)
from iwf_interpreter.loop.runs import Refusal, Run
from iwf_models import (
    WorkflowStateStartResponse,
)
from scripted_loop import Items


class Story:
    """One run in the cache of a loop, and the history that its tasks make."""

    def __init__(self) -> None:
        self.run = Run(Items())
        self.history: list[Item] = []
        self.refusals: dict[str, Refusal] = {}
        self._echoes: list[Item] = []

    def task(
        self,
        now_ms: int,
        *events: Fact,
        updates: Sequence[UpdateRequest] = (),
        results: Sequence[LocalResult] = (),
        send: int | None = None,
    ) -> list[Outgoing]:
        """A task with these events: what it was answered with.

        Args:
            now_ms: When.
            events: What happened.
            updates: What clients want.
            results: Calls in place that end before the task is answered.
            send: How many commands fit into the answer.
        """
        self.refusals = self.run.feed([*self._echoes, *events, Border(now_ms, in_hand=True)], updates)
        if not self.run.settled:
            self._echoes = []
            return []
        for result in results:
            self.run.take_local(result)
        self.run.end_task()
        outgoing = list(self.run.outgoing)[:send]
        if len(outgoing) < len(self.run.outgoing):
            self.run.hold_back(len(outgoing))
            outgoing.append(HeldBack())
        taken_on = [
            Fact(update.event)
            for update in updates
            if update.event is not None and update.update_id not in self.refusals
        ]
        self._echoes = [echo(command) for command in outgoing]
        self.history += [*events, *taken_on, Border(now_ms), *self._echoes]
        return outgoing

    def replayed(self) -> Run:
        """The run rebuilt from its history, which must give the same."""
        again = Run(Items())
        again.feed(self.history)
        assert (again.closed, again.now_ms, again.open_local) == (
            self.run.closed,
            self.run.now_ms,
            self.run.open_local,
        )
        assert again.state == self.run.state
        return again


def echo(command: Outgoing) -> Item:
    return command if isinstance(command, LocalResult | HeldBack) else Echo.of(command)


def answered(execution_id: str) -> Fact:
    return Fact(WaitUntilAnswered(execution_id=execution_id, answer=WorkflowStateStartResponse()))
