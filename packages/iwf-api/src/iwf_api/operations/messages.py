"""Messages to a workflow: signals, and publishing to internal channels.

Both are accepted, not applied, when the call returns.
"""

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.contract import SYSTEM_PREFIX, RpcSignal, SystemSignal
from iwf_models import EncodedObject, PublishToInternalChannelRequest, WorkflowSignalRequest


async def signal(service: Service, request: WorkflowSignalRequest) -> None:
    """Send a message to a signal channel.

    A message without a value is an empty object, never nothing. Names of the server's own signals are
    refused: through them a client could forge what only the server may say.
    """
    if request.signal_channel_name.startswith(SYSTEM_PREFIX):
        raise InvalidRequest(f"signal channel {request.signal_channel_name!r} is reserved for the server")
    await service.engine.signal(
        request.workflow_id,
        request.workflow_run_id or "",
        request.signal_channel_name,
        request.signal_value or EncodedObject(),
    )


async def publish_to_internal_channel(service: Service, request: PublishToInternalChannelRequest) -> None:
    """Send messages to internal channels, all together and in order.

    Without any message the workflow is still told, so a closed one is reported all the same.
    """
    await service.engine.signal(
        request.workflow_id,
        request.workflow_run_id or "",
        SystemSignal.EXECUTE_RPC,
        RpcSignal(inter_state_channel_publishing=request.messages),
    )
