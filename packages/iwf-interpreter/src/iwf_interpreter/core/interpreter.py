"""The interpreter of one run: `apply` takes one event in, `settle` ends a batch and says what to do.

Between two calls of `settle` any number of events is applied. Each one is applied completely (attributes,
messages, next states), but nothing is decided: which command gets which message, whether a conditional
close is met, whether the run ends. All of that happens in `settle`, when everything that the engine
delivered together has been taken in. So a message is never lost to a decision of the same batch, and the
result does not depend on the order inside it more than it must (`docs/interpreter.md`).

Nothing that a user, a worker or a client can do makes these functions raise. An exception that leaves
them is a bug or a history of another build; the run must be suspended then, not failed.
"""

from iwf_interpreter.contract import STILL_LOADING, UpdateError
from iwf_interpreter.core import continuing, events, snapshot
from iwf_interpreter.core.commands import CancelRun, Close, Command, FailRun
from iwf_interpreter.core.life import Life, UnexpectedEvent
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.core.versions import check_version
from iwf_models import IwfEvent, WorkflowErrorType


class NotReady(Exception):
    """The run has no state yet: it has not started, or still reads what the run before has left to it."""


class Interpreter:
    """One run. Feed it the history's events, batch by batch.

    Args:
        state: To go on from a restored state; nothing for a run from its beginning.
        observed: Whether to collect `IwfEvent`s for `take_notices`.
    """

    def __init__(self, state: ExecutionState | None = None, *, observed: bool = False) -> None:
        self._observed = observed
        self._loading: continuing.Loading | None = None
        self._life: Life | None = None if state is None else Life(state, observed=observed)
        self._early_end: Close | None = None

    @property
    def state(self) -> ExecutionState:
        """The state as of the last `settle`, when called between batches; raises `NotReady`."""
        return self._run.state

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._early_end is not None or (self._life is not None and self._life.state.closed)

    def take_notices(self) -> list[IwfEvent]:
        """What observers are to be told since the last time."""
        return [] if self._life is None else self._life.notices.take()

    def refusal(self, event: events.LockedRpcRequested | events.StateWaitRequested) -> UpdateError | None:
        """Why the run does not take an update on, `None` when it does; call it between `apply` and `settle`.

        Nothing is recorded of an update that is refused, so a replay does not ask.
        """
        if self._life is None:
            return UpdateError.ASK_AGAIN
        return self._life.refusal(event.request) if isinstance(event, events.LockedRpcRequested) else None

    def apply(self, event: events.Event, now_ms: int) -> None:
        """Take one event in.

        Args:
            event: What happened.
            now_ms: Time of the batch that the event belongs to, in Unix milliseconds.

        Raises:
            UnexpectedEvent: The event does not fit the state.
            UnknownVersion: The run needs a newer build.
            snapshot.BadSnapshot: The state that the run takes over cannot be read.
        """
        if isinstance(event, events.Started):
            self._start(event)
        elif self._loading is not None:
            self._load(self._loading, event, now_ms)
        elif self._life is None:
            raise UnexpectedEvent("the run has no started event yet")
        else:
            self._life.apply(event, now_ms)

    def settle(self, now_ms: int) -> list[Command]:
        """End the batch: match, decide, and return the commands in order.

        Args:
            now_ms: Time of the batch, in Unix milliseconds.
        """
        if self.closed:
            raise UnexpectedEvent("the run is closed, nothing can follow")
        if self._loading is not None:
            self._early_end = _end_while_loading(self._loading)
            return [*self._loading.take_calls()] if self._early_end is None else [self._early_end]
        return self._run.settle(now_ms)

    def take_index_changes(self, now_ms: int) -> list[Command]:
        """What a task that is to be answered while calls are made in place has for the index.

        `settle` leaves it out then, since further results in place change it again.
        """
        return [] if self._life is None else self._life.take_index_changes(now_ms)

    @property
    def _run(self) -> Life:
        if self._life is None:
            raise NotReady(STILL_LOADING)
        return self._life

    def _start(self, event: events.Started) -> None:
        if self._life is not None or self._loading is not None:
            raise UnexpectedEvent("the run has started already")
        check_version(event.input.interpreter_version)
        continued = event.input.continued
        if continued is None:
            self._life = Life(continuing.first_state(event), observed=self._observed)
            self._life.notices.run_began()
        elif continued.snapshot is not None:
            self._go_on(event, snapshot.from_text(continued.snapshot))
        else:
            self._loading = continuing.Loading(event, continued)

    def _go_on(self, event: events.Started, carried: ExecutionState) -> None:
        self._life = Life(continuing.continued_state(event, carried), observed=self._observed)

    def _load(self, loading: continuing.Loading, event: events.Event, now_ms: int) -> None:
        if not isinstance(event, events.SnapshotPageLoaded):
            loading.later.append(event)
            return
        carried = loading.page_loaded(event)
        if carried is not None:
            self._loading = None
            self._go_on(loading.event, carried)
            for later in loading.later:
                self._run.apply(later, now_ms)


def _end_while_loading(loading: continuing.Loading) -> Close | None:
    """Cancelling and failing need no state, so they do not wait for it."""
    if any(isinstance(event, events.CancelRequested) for event in loading.later):
        return CancelRun()
    for event in loading.later:
        if isinstance(event, events.FailRequested):
            return FailRun(
                error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE,
                text=event.reason or None,
            )
    return None
