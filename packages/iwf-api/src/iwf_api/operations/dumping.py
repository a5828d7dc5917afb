"""Reading what a run knows, page by page, in the form that the published API has for it."""

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.contract import QueryType
from iwf_interpreter.engine import QueryFailed
from iwf_models import WorkflowDumpRequest, WorkflowDumpResponse


async def dump(service: Service, request: WorkflowDumpRequest) -> WorkflowDumpResponse:
    """Read one page of what a run knows.

    Raises:
        InvalidRequest: There is no such page.
    """
    refusal = f"pageNum {request.page_num} is out of range"
    try:
        return await service.query(
            request.workflow_id,
            request.workflow_run_id,
            QueryType.DUMP_BY_PAGE,
            request,
            WorkflowDumpResponse,
            deadline=service.deadline(None),
            final_failure=refusal,
        )
    except QueryFailed as error:
        if refusal in str(error):
            raise InvalidRequest(str(error)) from error
        raise
