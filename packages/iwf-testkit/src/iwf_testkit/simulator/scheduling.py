"""What happens next: random steps that mostly make sense for the engine as it is.

Choices look at the engine only to be worth trying, so what a step does never depends on how it was chosen,
and a recorded schedule can be played without this module.
"""

from random import Random

from iwf_interpreter.contract import LockedRpcRequest, RpcSignal, StateTarget
from iwf_interpreter.core import events
from iwf_models import EncodedObject, ExecutingStateIdMode, StateDecision, WorkflowConfig
from iwf_testkit.simulator import programs, steps, workers
from iwf_testkit.simulator.engine import Engine
from iwf_testkit.simulator.programs import Program


class Scheduler:
    """Makes up the schedule of one seed."""

    def __init__(self, rng: Random, program: Program) -> None:
        self._rng = rng
        self._program = program
        self._names = [*program.states, "R"]
        self._count = 0
        self._writes = rng.random() < 0.9
        """Whether clients do more than signal."""
        self._faults = rng.random() < 0.7
        self._updates = rng.random() < 0.7
        self._eager = rng.choice((0.2, 0.5, 0.7))
        """How soon a task begins once there is something for it: the later, the larger the batches."""
        self._resets = rng.random() < 0.1
        self._ends = rng.random() < 0.12
        self._failing = rng.choice((0.0, 0.1, 0.3))

    def step(self, engine: Engine) -> steps.Step:
        """The next step."""
        rng = self._rng
        draw = rng.random()
        if engine.task is not None:
            if draw < 0.12:
                return self._arrival(engine)
            if self._faults and draw < 0.2:
                return steps.Crash(keeps_results=rng.random() < 0.5)
            if draw < 0.25:
                return self._advance()
            if engine.task.local and draw < 0.85:
                fails = rng.random() < self._failing
                return steps.FinishLocal(
                    rng.randrange(4), fails=fails, timed_out=fails and rng.random() < 0.5
                )
            return steps.Respond()
        if self._faults and draw < 0.05:
            return self._fault()
        if (engine.pending or engine.updates) and draw < self._eager:
            return steps.Deliver()
        if engine.calls and draw < 0.8:
            kind = rng.random()
            if kind < self._failing:
                return steps.GiveUp(rng.randrange(6))
            if self._faults and kind > 0.94:
                return steps.LoseAnswer(rng.randrange(6))
            return steps.Answer(rng.randrange(6))
        if draw < 0.86:
            return self._advance()
        return self._arrival(engine)

    def _advance(self) -> steps.Step:
        return steps.Advance(self._rng.choice((1, 1, 300, 300, 999, 1000, 1000, 2500, 5000)))

    def _fault(self) -> steps.Step:
        draw = self._rng.random()
        if self._resets and draw < 0.3:
            return steps.Reset(self._rng.randrange(6))
        return steps.Evict() if draw < 0.65 else steps.Restore()

    def _arrival(self, engine: Engine) -> steps.Step:
        rng = self._rng
        draw = rng.random()
        self._count += 1
        source = f"client-{self._count}"
        if self._ends and draw > 0.85:
            return steps.Arrive(rng.choice((events.FailRequested(reason="client"), events.CancelRequested())))
        if draw < 0.4 or not self._writes:
            value = EncodedObject() if rng.random() < 0.12 else workers.token(source)
            channel = rng.choice([*programs.SIGNAL_CHANNELS, *_wanted(engine)])
            return steps.Arrive(events.SignalReceived(channel_name=channel, value=value))
        if draw < 0.54:
            return steps.Arrive(self._write(source))
        if draw < 0.76 and self._updates:
            return steps.Ask(self._update(engine))
        if draw < 0.86:
            return steps.Arrive(self._skip(engine))
        if draw < 0.92:
            return steps.Arrive(events.ConfigUpdated(config=self._config()))
        if draw < 0.95:
            return steps.Arrive(events.ContinueAsNewRequested())
        return steps.Arrive(events.ContinueAsNewSuggested())

    def _write(self, source: str) -> events.RpcWritten:
        rng = self._rng
        starts = rng.random() < 0.3
        closing = rng.random() < 0.05
        state_id = "_SYS_FORCE_COMPLETING_WORKFLOW" if closing else rng.choice(list(self._program.states))
        movement = workers.movement(self._program, state_id, None, workers.token(source, "next"))
        channels = (rng.choice(programs.INTERNAL_CHANNELS),) if not starts or rng.random() < 0.5 else ()
        return events.RpcWritten(
            changes=RpcSignal(
                inter_state_channel_publishing=workers.publishing(channels, source, 0),
                upsert_data_objects=workers.data_attributes(
                    (rng.choice(programs.DATA_KEYS),) if rng.random() < 0.4 else (), source, 0
                ),
                upsert_search_attributes=workers.search_attributes(
                    (rng.choice(programs.SEARCH_KEYS),) if rng.random() < 0.2 else (), source, self._count
                ),
                state_decision=StateDecision(next_states=[movement]) if starts else None,
            )
        )

    def _update(self, engine: Engine) -> events.LockedRpcRequested | events.StateWaitRequested:
        rng = self._rng
        if rng.random() < 0.5:
            state_id = rng.choice(self._names)
            if rng.random() < 0.5:
                target = StateTarget(state_id=state_id, wait_for_key=rng.choice(programs.WAIT_KEYS))
            else:
                live = list(engine.judge.ledger.live)
                soon = rng.choice(live) if live and rng.random() < 0.8 else f"{state_id}-{rng.randint(1, 2)}"
                target = StateTarget(state_execution_id=soon)
            return events.StateWaitRequested(update_id=f"wait-{self._count}", target=target)
        data = programs.random_locking(rng, programs.DATA_KEYS) if rng.random() < 0.8 else None
        search = (
            programs.random_locking(rng, programs.SEARCH_KEYS) if data is None or rng.random() < 0.3 else None
        )
        return events.LockedRpcRequested(
            update_id=f"update-{self._count}",
            request=LockedRpcRequest(
                rpc_name="rpc",
                data_attributes_loading_policy=data,
                search_attributes_loading_policy=search,
                max_waiting=rng.choice((0, 1, 5, 5)),
                expires_at_ms=rng.choice((None, None, None, 1_700_000_002_000, 1_700_000_030_000)),
            ),
        )

    def _skip(self, engine: Engine) -> events.TimerSkipped:
        rng = self._rng
        by_id = rng.random() < 0.6
        waiting = engine.judge.ledger.waiting
        some = f"{rng.choice(self._names)}-{rng.choice((1, 1, 2, 3))}"
        return events.TimerSkipped(
            execution_id=rng.choice(waiting) if waiting and rng.random() < 0.5 else some,
            command_id=rng.choice(("c1", "c2", "c3")) if by_id else None,
            command_index=None if by_id and rng.random() < 0.7 else rng.randrange(3),
        )

    def _config(self) -> WorkflowConfig:
        rng = self._rng
        draw = rng.random()
        if draw < 0.5:
            return WorkflowConfig(continue_as_new_threshold=rng.choice((0, 1, 2, 4, 50)))
        if draw < 0.6:
            return WorkflowConfig(count_held_messages=rng.random() < 0.5)
        if draw < 0.8:
            return WorkflowConfig(optimize_activity=rng.random() < 0.6)
        return WorkflowConfig(executing_state_id_mode=rng.choice(tuple(ExecutingStateIdMode)))


def _wanted(engine: Engine) -> list[str]:
    """Signal channels that some execution waits for."""
    ledger = engine.judge.ledger
    waits = [ledger.live[name].wait for name in ledger.waiting]
    return [
        command.signal_channel_name
        for wait in waits
        if wait
        for command in wait.request.signal_commands or ()
    ]
