"""What the worker of the benchmarks answers: a function of the request, so that it needs no memory."""

from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SignalCommand,
    StateMovement,
    TimerCommand,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit.answers import graceful_complete, next_states, wait_for
from tools.bench.shapes import Kind, parse

CHANNEL = "messages"
MESSAGES_AT_A_TIME = 100

WRITE = "write"
"""RPC that publishes its input, `<client>/<number>`, and keeps the client's last number."""
SIZE = "size"
"""RPC that answers how much was published."""
PUBLISHED = "published"
"""The channel of the RPC `WRITE`."""

SKIPPING = WorkflowStateOptions(skip_wait_until=True)
LOCKING = WorkflowStateOptions(
    execute_api_data_attributes_loading_policy=PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK, locking_keys=["shared"]
    )
)

_NOTHING = WorkflowStateStartResponse()
_DONE = graceful_complete()
_TIMER_SECONDS = 10


def wait_until(request: WorkflowStateStartRequest) -> WorkflowStateStartResponse:
    """What a state waits for."""
    shape = parse(request.workflow_type)
    match shape.kind, request.workflow_state_id:
        case Kind.TIMER_FAN, "P":
            return wait_for(timers=(_TIMER_SECONDS,))
        case Kind.MESSAGE_FAN, "P":
            return wait_for(signals=(CHANNEL,))
        case ((Kind.TIMERS | Kind.SPREAD_TIMERS), _):
            period = _TIMER_SECONDS if shape.kind is Kind.TIMERS else shape.count
            timers = [TimerCommand(duration_seconds=1 + index % period) for index in range(shape.count)]
            return _wait(
                CommandRequest(command_waiting_type=CommandWaitingType.ALL_COMPLETED, timer_commands=timers)
            )
        case Kind.MESSAGES, _:
            command = SignalCommand(signal_channel_name=CHANNEL, at_most=MESSAGES_AT_A_TIME)
            return _wait(
                CommandRequest(
                    command_waiting_type=CommandWaitingType.ALL_COMPLETED, signal_commands=[command]
                )
            )
        case _:
            return _NOTHING


def execute(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    """Where a state goes."""
    shape = parse(request.workflow_type)
    state_id = request.workflow_state_id
    match shape.kind:
        case Kind.ROW:
            number = int(state_id.removeprefix("S"))
            options = SKIPPING if shape.skips_wait_until else None
            following = StateMovement(state_id=f"S{number + 1}", state_options=options)
            return _DONE if number == shape.count else next_states(following)
        case Kind.FAN | Kind.TIMER_FAN | Kind.LOCKED_FAN | Kind.MESSAGE_FAN:
            options = SKIPPING if shape.skips_wait_until else None
            if shape.kind is Kind.LOCKED_FAN:
                options = LOCKING
            each = StateMovement(state_id="P", state_options=options)
            return _DONE if state_id == "P" else next_states(*[each] * shape.count)
        case Kind.TIMERS | Kind.SPREAD_TIMERS:
            return _DONE
        case Kind.MESSAGES:
            taken = _messages_before(request) + _messages_now(request)
            again = StateMovement(state_id=state_id, state_input=EncodedObject(data=str(taken)))
            return _DONE if taken >= shape.count else next_states(again)


def rpc(request: WorkflowWorkerRpcRequest) -> WorkflowWorkerRpcResponse:
    """What an RPC does."""
    if request.rpc_name == SIZE:
        published = (request.internal_channel_infos or {}).get(PUBLISHED)
        size = (published and published.size) or 0
        return WorkflowWorkerRpcResponse(output=EncodedObject(data=str(size)))
    data = (request.input and request.input.data) or ""
    client, _, number = data.partition("/")
    return WorkflowWorkerRpcResponse(
        output=request.input,
        upsert_data_attributes=[KeyValue(key=client, value=EncodedObject(data=number))],
        publish_to_inter_state_channel=[
            InterStateChannelPublishing(channel_name=PUBLISHED, value=EncodedObject(data=data))
        ],
    )


def _wait(commands: CommandRequest) -> WorkflowStateStartResponse:
    return WorkflowStateStartResponse(command_request=commands)


def _messages_before(request: WorkflowStateDecideRequest) -> int:
    return int((request.state_input and request.state_input.data) or 0)


def _messages_now(request: WorkflowStateDecideRequest) -> int:
    results = request.command_results
    assert results is not None
    return sum(len(result.signal_values or ()) for result in results.signal_results or ())
