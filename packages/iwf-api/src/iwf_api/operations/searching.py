"""Searching: one page of the engine's index, by a query in the engine's own language."""

import base64
import binascii
import zlib

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_models import WorkflowSearchRequest, WorkflowSearchResponse, WorkflowSearchResponseEntry

_DEFAULT_PAGE_SIZE = 1000
_CHECKSUM_BYTES = 4


async def search(service: Service, request: WorkflowSearchRequest) -> WorkflowSearchResponse:
    """List runs that match the query; the token of the last page is empty."""
    page_size = request.page_size if request.page_size is not None and request.page_size > 0 else None
    page = await service.engine.search(
        request.query, page_size or _DEFAULT_PAGE_SIZE, _decode_token(request.next_page_token or "")
    )
    return WorkflowSearchResponse(
        workflow_executions=[
            WorkflowSearchResponseEntry(workflow_id=workflow_id, workflow_run_id=run_id)
            for workflow_id, run_id in page.executions
        ],
        next_page_token=_encode_token(page.next_page_token),
    )


def _encode_token(token: bytes) -> str:
    """The engine's token as text that a client can send back.

    A checksum goes with it, so that a damaged token is refused here at once: engines take one for a passing
    trouble and try again for many seconds.
    """
    if not token:
        return ""
    checksum = zlib.crc32(token).to_bytes(_CHECKSUM_BYTES, "big")
    return base64.urlsafe_b64encode(checksum + token).rstrip(b"=").decode("ascii")


def _decode_token(text: str) -> bytes:
    if not text:
        return b""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("nextPageToken is not one that a search returned") from error
    checksum, token = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if not token or zlib.crc32(token).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        raise InvalidRequest("nextPageToken is not one that a search returned")
    return token
