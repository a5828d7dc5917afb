"""Starting a workflow: its input, its memo, its search attributes, and what to do when it runs already.

Everything is checked before the engine is asked, so a refused request has had no effect.
"""

from collections.abc import Iterator

import msgspec

from iwf_api.errors import InvalidRequest
from iwf_api.operations.configuring import check_config, check_not_negative
from iwf_api.operations.data_attributes import check_keys
from iwf_api.operations.search_attributes import check_all
from iwf_api.operations.service import Service
from iwf_interpreter.contract import (
    MEMO_REQUEST_ID,
    MEMO_USE_MEMO,
    MEMO_WORKER_URL,
    WORKFLOW_TYPE_ATTRIBUTE,
    InterpreterInput,
)
from iwf_interpreter.core.versions import NEWEST_VERSION
from iwf_interpreter.engine import EngineError, StartRequest, WorkflowAlreadyStarted
from iwf_interpreter.worker_answers import check_state_id, check_state_options
from iwf_models import (
    EncodedObject,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowAlreadyStartedOptions,
    WorkflowConfig,
    WorkflowStartOptions,
    WorkflowStartRequest,
    WorkflowStartResponse,
    WorkflowStateOptions,
)
from iwf_models.compat import id_reuse_policy

_OPTIONS = "workflowStartOptions"


async def start(service: Service, request: WorkflowStartRequest) -> WorkflowStartResponse:
    """Start a workflow, or answer with the one that runs already if the request allows that.

    Raises:
        InvalidRequest: Something in the request can never be started.
        InvalidSearchAttribute: An initial search attribute cannot be written.
        WorkflowAlreadyStarted: The id is taken.
    """
    options = request.workflow_start_options or WorkflowStartOptions()
    _check_numbers(request, options)
    check_keys(options.data_attributes)
    await check_all(service, options.search_attributes)
    if request.start_state_id:
        _check_start_state(request.start_state_id, request.state_options)
    try:
        run_id = await service.engine.start(_start_request(service, request, options))
    except WorkflowAlreadyStarted as refusal:
        run_id = await _running_instead(service, refusal, options.workflow_already_started_options)
    return WorkflowStartResponse(workflow_run_id=run_id)


async def _running_instead(
    service: Service, refusal: WorkflowAlreadyStarted, options: WorkflowAlreadyStartedOptions | None
) -> str:
    """The run that holds the id, if the request takes it for its own; raises the refusal otherwise."""
    if options is None or not options.ignore_already_started_error:
        raise refusal
    if options.request_id is None:
        return refusal.run_id
    try:
        running = await service.engine.describe(refusal.workflow_id, refusal.run_id)
    except EngineError:
        raise refusal from None
    request_id = running.memo.get(MEMO_REQUEST_ID)
    if request_id is None or request_id.data != options.request_id:
        raise refusal
    return refusal.run_id


def _start_request(
    service: Service, request: WorkflowStartRequest, options: WorkflowStartOptions
) -> StartRequest:
    starts_state = bool(request.start_state_id)
    return StartRequest(
        workflow_id=request.workflow_id,
        input=InterpreterInput(
            iwf_workflow_type=request.iwf_workflow_type,
            iwf_worker_url=request.iwf_worker_url,
            start_state_id=request.start_state_id or None,
            state_input=request.state_input if starts_state else None,
            state_options=request.state_options if starts_state else None,
            wait_for_completion_state_execution_ids=request.wait_for_completion_state_execution_ids,
            wait_for_completion_state_ids=request.wait_for_completion_state_ids,
            init_search_attributes=options.search_attributes or None,
            init_data_attributes=options.data_attributes or None,
            use_memo_for_data_attributes=options.use_memo_for_data_attributes or None,
            config=_merged(service.settings.default_workflow_config, options.workflow_config_override),
            request_id=_request_id(options),
            retry_policy=options.retry_policy,
            cron_schedule=options.cron_schedule or None,
            interpreter_version=NEWEST_VERSION,
        ),
        timeout_seconds=request.workflow_timeout_seconds,
        id_reuse_policy=id_reuse_policy(options),
        cron_schedule=options.cron_schedule or None,
        start_delay_seconds=options.workflow_start_delay_seconds or 0,
        retry_policy=options.retry_policy,
        memo=dict(_memo(request, options)),
        search_attributes=[
            *(options.search_attributes or ()),
            SearchAttribute(
                key=WORKFLOW_TYPE_ATTRIBUTE,
                value_type=SearchAttributeValueType.KEYWORD,
                string_value=request.iwf_workflow_type,
            ),
        ],
    )


def _memo(
    request: WorkflowStartRequest, options: WorkflowStartOptions
) -> Iterator[tuple[str, EncodedObject]]:
    yield MEMO_WORKER_URL, EncodedObject(data=request.iwf_worker_url)
    if options.use_memo_for_data_attributes:
        yield MEMO_USE_MEMO, EncodedObject(data="true")
        for item in options.data_attributes or ():
            yield item.key or "", item.value or EncodedObject()
    request_id = _request_id(options)
    if request_id is not None:
        yield MEMO_REQUEST_ID, EncodedObject(data=request_id)


def _request_id(options: WorkflowStartOptions) -> str | None:
    already_started = options.workflow_already_started_options
    return None if already_started is None else already_started.request_id


def _merged(default: WorkflowConfig, override: WorkflowConfig | None) -> WorkflowConfig:
    """The default, with every field replaced that the override carries."""
    if override is None:
        return default
    given = {
        field: value
        for field in override.__struct_fields__
        if (value := getattr(override, field)) is not None
    }
    return msgspec.structs.replace(default, **given)


def _check_start_state(state_id: str, options: WorkflowStateOptions | None) -> None:
    try:
        check_state_id(state_id)
    except ValueError as error:
        raise InvalidRequest(f"startStateId: {error}") from error
    try:
        check_state_options(options or WorkflowStateOptions())
    except ValueError as error:
        raise InvalidRequest(f"stateOptions: {error}") from error


def _check_numbers(request: WorkflowStartRequest, options: WorkflowStartOptions) -> None:
    numbers: dict[str, float | None] = {
        "workflowTimeoutSeconds": request.workflow_timeout_seconds,
        f"{_OPTIONS}.workflowStartDelaySeconds": options.workflow_start_delay_seconds,
    }
    policy = options.retry_policy
    if policy is not None:
        where = f"{_OPTIONS}.retryPolicy"
        numbers[f"{where}.initialIntervalSeconds"] = policy.initial_interval_seconds
        numbers[f"{where}.backoffCoefficient"] = policy.backoff_coefficient
        numbers[f"{where}.maximumIntervalSeconds"] = policy.maximum_interval_seconds
        numbers[f"{where}.maximumAttempts"] = policy.maximum_attempts
    check_not_negative(numbers)
    if options.workflow_config_override is not None:
        check_config(f"{_OPTIONS}.workflowConfigOverride", options.workflow_config_override)
    if options.cron_schedule and options.workflow_start_delay_seconds:
        raise InvalidRequest(f"{_OPTIONS}: cronSchedule and workflowStartDelaySeconds cannot be combined")
