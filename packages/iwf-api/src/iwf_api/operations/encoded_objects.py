"""Loading values that are kept outside of the runs, in a store.

There is no such store yet, so nothing can be loaded. A request is checked all the same: one that could never
be answered is told what is wrong with it.
"""

import re

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_models import EncodedObject

_PATH = re.compile(r"[0-9]{8}\$[^/$]+/[^/]+")
"""Day, workflow id and the object's own id."""


async def load(service: Service, request: EncodedObject) -> EncodedObject:
    """Read a value from external storage, and answer it with its reference.

    The path of a value is `<yyyymmdd>$<workflow id>/<object id>`.

    Raises:
        InvalidRequest: The path is none, or there is no store.
    """
    path = request.ext_path or ""
    if not _PATH.fullmatch(path):
        raise InvalidRequest(f"extPath is not of the form <8 digits>$<workflow id>/<object id>: {path!r}")
    raise InvalidRequest(f"external storage is off, so store {request.ext_store_id!r} cannot be read")
