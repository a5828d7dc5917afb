"""What the engine's index should show of a run: search attributes and, in memo mode, data attributes.

Writes are collected over a batch and sent as one command at its end: only what has changed, and nothing
when nothing has. `IwfExecutingStateIds` is a target, not a sequence: it is compared with what the index
shows once per batch.
"""

from collections import Counter

from iwf_interpreter.contract import (
    EXECUTING_STATE_IDS_ATTRIBUTE,
    MEMO_REQUEST_ID,
    MEMO_USE_MEMO,
    MEMO_WORKER_URL,
    SYSTEM_PREFIX,
    WORKFLOW_TYPE_ATTRIBUTE,
)
from iwf_interpreter.core.attribute_values import EngineValue, InvalidSearchAttribute, engine_value
from iwf_interpreter.core.commands import Close, Command, CompleteRun, SetMemo, SetSearchAttributes
from iwf_interpreter.core.state import ExecutionState, StateExecution
from iwf_models import (
    EncodedObject,
    ExecutingStateIdMode,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowConfig,
    compat,
)


class IndexChanges:
    """What the engine's index does not show yet: the changes of a batch, and the live executions."""

    def __init__(self, state: ExecutionState) -> None:
        self._state = state
        self._before: dict[str, SearchAttribute | None] = {}
        self._memo: dict[str, EncodedObject] = {}
        self._live: Counter[tuple[str, bool]] = Counter()
        """Live executions by state id and whether they skip waitUntil."""
        for execution in state.executions.values():
            self.execution_began(execution)

    def search_attribute_written(self, key: str, before: SearchAttribute | None) -> None:
        """Note that an attribute was written; `before` is what the run had until then."""
        self._before.setdefault(key, before)

    def data_attribute_written(self, item: KeyValue) -> None:
        """Note that a data attribute of a run in memo mode was written."""
        key = item.key or ""
        if not key.startswith(SYSTEM_PREFIX):
            self._memo[key] = item.value or EncodedObject()

    def execution_began(self, execution: StateExecution) -> None:
        """Count a live execution."""
        self._live[_kind(execution)] += 1

    def execution_ended(self, execution: StateExecution) -> None:
        """Count it no more."""
        kind = _kind(execution)
        self._live[kind] -= 1
        if not self._live[kind]:
            del self._live[kind]

    def take(self, close: Close | None, now_ms: int) -> list[Command]:
        """The commands that bring the index up to date; begins a new batch."""
        state = self._state
        values: dict[str, EngineValue] = {}
        for key, before in self._before.items():
            after = state.search_attributes[key]
            if after != before:
                if after.value_type is SearchAttributeValueType.DATETIME:
                    state.times_written_at_ms[key] = now_ms
                _add(values, after, now_ms)
        keeps_ids = isinstance(close, CompleteRun) and state.config.keep_executing_state_ids_on_close
        executing = None if keeps_ids else self._executing_state_ids()
        if executing is not None and executing != state.executing_state_ids:
            state.executing_state_ids = executing
            values[EXECUTING_STATE_IDS_ATTRIBUTE] = EngineValue("KeywordList", executing)
        commands: list[Command] = []
        if values:
            commands.append(SetSearchAttributes(values=values))
        if self._memo:
            commands.append(SetMemo(values=self._memo))
        self._before, self._memo = {}, {}
        return commands

    def _executing_state_ids(self) -> list[str] | None:
        """What `IwfExecutingStateIds` should be, `None` when it is to be left alone."""
        mode = executing_state_id_mode(self._state.config)
        if mode is ExecutingStateIdMode.DISABLED:
            return None
        all_states = mode is ExecutingStateIdMode.ENABLED_FOR_ALL
        # While the run drains, what the next one will start is in the queue.
        queued = ((each.state_id, compat.skips_wait_until(each.state_options)) for each in self._state.queue)
        return sorted({state_id for state_id, skips in (*self._live, *queued) if all_states or not skips})


def executing_state_id_mode(config: WorkflowConfig) -> ExecutingStateIdMode:
    """Which live executions `IwfExecutingStateIds` shows; the legacy switch counts when it is alone."""
    if config.executing_state_id_mode is not None:
        return config.executing_state_id_mode
    if config.disable_system_search_attribute:
        return ExecutingStateIdMode.DISABLED
    return ExecutingStateIdMode.ENABLED_FOR_STATES_WITH_WAIT_UNTIL


def all_search_attributes(state: ExecutionState) -> dict[str, EngineValue]:
    """Everything that the index shows of a run, for the one that continues it."""
    values = {WORKFLOW_TYPE_ATTRIBUTE: EngineValue("Keyword", state.workflow_type)}
    if state.executing_state_ids:
        values[EXECUTING_STATE_IDS_ATTRIBUTE] = EngineValue("KeywordList", state.executing_state_ids)
    for key, attribute in state.search_attributes.items():
        _add(values, attribute, state.times_written_at_ms.get(key, state.started_at * 1000))
    return values


def all_memo(state: ExecutionState) -> dict[str, EncodedObject]:
    """The whole memo of a run, for the one that continues it."""
    memo = {MEMO_WORKER_URL: EncodedObject(data=state.worker_url)}
    if state.request_id is not None:
        memo[MEMO_REQUEST_ID] = EncodedObject(data=state.request_id)
    if state.use_memo:
        memo[MEMO_USE_MEMO] = EncodedObject(data="true")
        for key, value in state.data_attributes.items():
            if not key.startswith(SYSTEM_PREFIX):
                memo[key] = value or EncodedObject()
    return memo


def _add(values: dict[str, EngineValue], attribute: SearchAttribute, now_ms: int) -> None:
    # Values are checked where they come in. One that was sent by hand is kept, but not indexed.
    try:
        values[attribute.key or ""] = engine_value(attribute, now_ms * 1_000_000)
    except InvalidSearchAttribute:
        return


def _kind(execution: StateExecution) -> tuple[str, bool]:
    movement = execution.movement
    return movement.state_id, compat.skips_wait_until(movement.state_options)
