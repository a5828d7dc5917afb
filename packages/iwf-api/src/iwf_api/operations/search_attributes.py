"""Reading and writing search attributes.

Reading asks the engine's index, which may lag behind the run. Writing is accepted, not applied, when the
call returns; every attribute is checked first, and if one is refused nothing is written.
"""

from collections.abc import Iterable

from iwf_api.operations.service import Service
from iwf_interpreter.contract import SYSTEM_SEARCH_ATTRIBUTES, RpcSignal, SystemSignal
from iwf_interpreter.core.attribute_values import ENGINE_TYPES, check, wire_attribute
from iwf_interpreter.engine import WorkflowDescription
from iwf_models import (
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowGetSearchAttributesRequest,
    WorkflowGetSearchAttributesResponse,
    WorkflowSetSearchAttributesRequest,
)

_WIRE_TYPES = {engine_type: wire_type for wire_type, engine_type in ENGINE_TYPES.items()}


async def get(
    service: Service, request: WorkflowGetSearchAttributesRequest
) -> WorkflowGetSearchAttributesResponse:
    """Read the attributes that the request names, as the types that it names, in its order.

    Without names, all attributes of the run that do not belong to the server or the engine, by key.

    Raises:
        InvalidSearchAttribute: A value cannot be read as the type that is asked for.
    """
    found = await service.engine.describe(request.workflow_id, request.workflow_run_id or "")
    if request.keys:
        wanted = [(item.key, item.value_type) for item in request.keys]
    else:
        wanted = await _users_attributes(service, found)
    read = (
        wire_attribute(key, value_type, found.search_attributes[key])
        for key, value_type in wanted
        if key is not None and value_type is not None and key in found.search_attributes
    )
    attributes = [attribute for attribute in read if attribute is not None]
    return WorkflowGetSearchAttributesResponse(search_attributes=attributes or None)


async def set_(service: Service, request: WorkflowSetSearchAttributesRequest) -> None:
    """Write attributes, all of them or none.

    Raises:
        InvalidSearchAttribute: One of them cannot be written.
    """
    await check_all(service, request.search_attributes)
    await service.engine.signal(
        request.workflow_id,
        request.workflow_run_id or "",
        SystemSignal.EXECUTE_RPC,
        RpcSignal(upsert_search_attributes=request.search_attributes),
    )


async def check_all(service: Service, attributes: Iterable[SearchAttribute] | None) -> None:
    """Make sure that every attribute can be written; raises `InvalidSearchAttribute`."""
    if attributes:
        registered = await service.engine.search_attribute_types()
        for attribute in attributes:
            check(attribute, registered=registered)


async def _users_attributes(
    service: Service, found: WorkflowDescription
) -> list[tuple[str, SearchAttributeValueType]]:
    """Attributes that users have registered, among those of a run."""
    registered = await service.engine.search_attribute_types()
    return [
        (key, _WIRE_TYPES[engine_type])
        for key, engine_type in sorted(found.search_attribute_types.items())
        if engine_type in _WIRE_TYPES
        and key not in SYSTEM_SEARCH_ATTRIBUTES
        and (registered is None or key in registered)
    ]
