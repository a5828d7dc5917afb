"""Changing the settings of a running workflow, and making it continue as new.

Both are accepted, not applied, when the call returns.
"""

from collections.abc import Mapping

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.contract import SystemSignal
from iwf_models import TriggerContinueAsNewRequest, WorkflowConfig, WorkflowConfigUpdateRequest


async def update_config(service: Service, request: WorkflowConfigUpdateRequest) -> None:
    """Replace the settings that the request carries; the others stay."""
    check_config("workflowConfig", request.workflow_config)
    await service.engine.signal(
        request.workflow_id, request.workflow_run_id or "", SystemSignal.UPDATE_CONFIG, request
    )


async def trigger_continue_as_new(service: Service, request: TriggerContinueAsNewRequest) -> None:
    """Let a workflow go on in a new run, as soon as no call to its worker is in flight."""
    await service.engine.signal(
        request.workflow_id, request.workflow_run_id or "", SystemSignal.CONTINUE_AS_NEW, None
    )


def check_config(where: str, config: WorkflowConfig) -> None:
    """Make sure that settings can be used; raises `InvalidRequest`, which names the field below `where`."""
    check_not_negative(
        {
            f"{where}.continueAsNewThreshold": config.continue_as_new_threshold,
            f"{where}.continueAsNewPageSizeInBytes": config.continue_as_new_page_size_in_bytes,
        }
    )


def check_not_negative(numbers: Mapping[str, float | None]) -> None:
    """Make sure that none of these fields is negative; raises `InvalidRequest`."""
    for name, value in numbers.items():
        if value is not None and value < 0:
            raise InvalidRequest(f"{name} must not be negative, got {value!r}")
