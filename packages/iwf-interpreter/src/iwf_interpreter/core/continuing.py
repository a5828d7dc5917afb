"""Continue-as-new: when it is due, what the next run is given, and how that one begins.

A state that waits for commands is data, so nothing has to be drained but the calls in flight. Once it is
due the run makes no further calls, takes everything else in as ever, and continues at the end of the first
batch without a call in flight (`docs/interpreter.md`).
"""

import msgspec

from iwf_interpreter.contract import ContinuedRun, InterpreterInput, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.core import snapshot, visibility
from iwf_interpreter.core.commands import ContinueAsNew, LoadSnapshotPage
from iwf_interpreter.core.events import Event, SnapshotPageLoaded, Started
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.core.versions import NEWEST_VERSION
from iwf_models import StateMovement

YOUNG_RUN_MS = 1000
"""Temporal holds back the run after one that was younger than this."""
_YOUNG_RUN_FACTOR = 4
_LITERAL_BELOW = 10

_PAGE_PREFIX = "snapshot/"


def is_due(state: ExecutionState, now_ms: int) -> bool:
    """Whether the run should continue as new: it was told to, or has done enough for one run.

    A run younger than a second does up to four times as much, unless its threshold is so low that it must be
    meant literally.
    """
    if not state.has_called and (state.queue or state.calls_to_make):
        # With signals that keep coming, each run would only take them and leave the calls to the next.
        return False
    if state.continue_requested:
        return True
    if state.operations == 0:
        # A new run that did nothing but continue again would get nowhere.
        return False
    threshold = state.config.continue_as_new_threshold or 0
    if state.continue_suggested:
        return True
    if threshold <= 0 or state.operations < threshold:
        return False
    is_young = now_ms - state.run_started_at_ms < YOUNG_RUN_MS
    return threshold < _LITERAL_BELOW or not is_young or state.operations >= threshold * _YOUNG_RUN_FACTOR


def successor(state: ExecutionState, now_ms: int) -> ContinueAsNew:
    """The command that closes this run and starts the next."""
    data = snapshot.encode(snapshot.carried(state))
    text = snapshot.to_text(data)
    page_bytes = snapshot.page_bytes(state.config.continue_as_new_page_size_in_bytes)
    if len(text.encode()) <= page_bytes:
        continued = ContinuedRun(snapshot=text)
    else:
        continued = ContinuedRun(previous_run_id=state.run_id, pages=-(-len(data) // page_bytes))
    seconds_left = None if state.deadline_ms is None else max(1, (state.deadline_ms - now_ms) // 1000)
    beginning = state.recurring or InterpreterInput(
        iwf_workflow_type=state.workflow_type,
        iwf_worker_url=state.worker_url,
        use_memo_for_data_attributes=state.use_memo or None,
        config=state.config,
        request_id=state.request_id,
        retry_policy=state.retry_policy,
    )
    return ContinueAsNew(
        input=msgspec.structs.replace(beginning, interpreter_version=NEWEST_VERSION, continued=continued),
        search_attributes=visibility.all_search_attributes(state),
        memo=visibility.all_memo(state),
        timeout_seconds=seconds_left,
    )


def first_state(event: Started) -> ExecutionState:
    """The state of a workflow that starts."""
    start = event.input
    state = ExecutionState(
        workflow_id=event.workflow_id,
        run_id=event.run_id,
        run_started_at_ms=event.started_at_ms,
        first_run_id=event.first_run_id,
        started_at=event.started_at_ms // 1000,
        deadline_ms=event.deadline_ms,
        request_id=start.request_id,
        retry_policy=start.retry_policy,
        recurring=start if start.cron_schedule else None,
        workflow_type=start.iwf_workflow_type,
        worker_url=start.iwf_worker_url,
        config=start.config,
        interpreter_version=start.interpreter_version,
        use_memo=bool(start.use_memo_for_data_attributes),
        data_attributes={item.key or "": item.value for item in start.init_data_attributes or ()},
        search_attributes={item.key or "": item for item in start.init_search_attributes or ()},
    )
    if start.start_state_id:
        state.queue.append(
            StateMovement(
                state_id=start.start_state_id,
                state_input=start.state_input,
                state_options=start.state_options,
            )
        )
    return state


def continued_state(event: Started, carried: ExecutionState) -> ExecutionState:
    """The state of a run that goes on with what the one before has carried over."""
    carried.run_id = event.run_id
    carried.run_started_at_ms = event.started_at_ms
    carried.interpreter_version = event.input.interpreter_version
    return carried


class Loading:
    """A run that has yet to read its state from the run before; what happens meanwhile is kept for later."""

    def __init__(self, event: Started, continued: ContinuedRun) -> None:
        self.event = event
        self.later: list[Event] = []
        self._previous_run_id = continued.previous_run_id or ""
        self._count = continued.pages
        self._round = 0
        self._pages: dict[int, SnapshotPage] = {}
        self._asked = False

    def page_loaded(self, event: SnapshotPageLoaded) -> ExecutionState | None:
        """Take in a page; return the state once all are there.

        Pages that do not belong together are read again, all of them.
        """
        self._pages[event.page_number] = event.page
        if len(self._pages) < self._count:
            return None
        try:
            return snapshot.join([self._pages[number] for number in range(self._count)])
        except snapshot.BadSnapshot:
            self._pages.clear()
            self._round += 1
            self._asked = False
            return None

    def take_calls(self) -> list[LoadSnapshotPage]:
        """The calls that read the pages, unless they were asked for already."""
        if self._asked:
            return []
        self._asked = True
        return [
            LoadSnapshotPage(
                call_id=f"{_PAGE_PREFIX}{self._round}/{number}",
                workflow_id=self.event.workflow_id,
                run_id=self._previous_run_id,
                query=SnapshotPageQuery(page=number, pages=self._count),
            )
            for number in range(self._count)
        ]


def page_number(call_id: str) -> int:
    """The page that a call of `LoadSnapshotPage` reads."""
    return int(call_id.rpartition("/")[2])


def answer_page(state: ExecutionState, query: SnapshotPageQuery) -> SnapshotPage:
    """A part of the state that this run has left to the next; raises `ValueError` for a bad query."""
    if not 0 <= query.page < query.pages:
        raise ValueError(f"page {query.page} of {query.pages} does not exist")
    return snapshot.page(snapshot.encode(snapshot.carried(state)), query.page, query.pages)


def is_page_call(call_id: str) -> bool:
    """Whether a call is one of `LoadSnapshotPage`."""
    return call_id.startswith(_PAGE_PREFIX)
