"""The table of `endpoints.json` as a page for people, `docs/endpoints.md`."""

from collections.abc import Mapping

import msgspec

from endpoints import CASES, Cell
from scenario import ALREADY_STARTED, NOT_EXISTS


def page(table: Mapping[str, Mapping[str, Cell]]) -> str:
    """The table as `docs/endpoints.md`."""
    lines = [PAGE_HEAD, "| case | the request |", "| --- | --- |"]
    lines += [f"| {case} | {text} |" for case, text in CASES.items()]
    lines += ["", LEGEND, "", "| endpoint | " + " | ".join(CASES) + " |", "| --- " * (len(CASES) + 1) + "|"]
    for name, cells in table.items():
        shown = [_short(cells[case]) if case in cells else "" for case in CASES]
        lines.append(f"| `{name}` | " + " | ".join(shown) + " |")
    for name, cells in table.items():
        lines += ["", f"## {name}", "", "| case | status | body |", "| --- | --- | --- |"]
        lines += [f"| {case} | {cell.status} | {_code(cell.body)} |" for case, cell in cells.items()]
    return "\n".join(lines) + "\n"


_SUB_STATUSES = {
    NOT_EXISTS: " N",
    ALREADY_STARTED: " A",
    "LONG_POLL_TIME_OUT_SUB_STATUS": " L",
}

LEGEND = (
    "A letter after the status is the sub-status: **N** `WORKFLOW_NOT_EXISTS_SUB_STATUS`, **A**\n"
    "`WORKFLOW_ALREADY_STARTED_SUB_STATUS`, **L** `LONG_POLL_TIME_OUT_SUB_STATUS`; every other error has\n"
    "`UNCATEGORIZED_SUB_STATUS`. A case that an endpoint cannot have is left empty."
)

PAGE_HEAD = """\
# What every endpoint answers

Made by the end-to-end tests (`integ/test_endpoints.py`) and checked by them: each answer below is one that a
server gave. Ids and texts of the engine are replaced by names in angle brackets. To write it anew after a
change, and then look at the difference:

```
IWF_WRITE_ENDPOINT_TABLE=1 .venv/bin/python -m pytest integ/test_endpoints.py
```

The workflow of the cases has completed state `S1` and waits in `S2` for a signal or the timer `t`. `stop` is
asked to terminate, or to cancel where fields are null. Every engine gives the same table.
"""


def _short(cell: Cell) -> str:
    return f"{cell.status}{_SUB_STATUSES.get(cell.body.get('subStatus'), '')}"


def _code(body: object) -> str:
    """JSON as code in a cell; texts of the server have backticks and bars in them."""
    text = msgspec.json.encode(body).decode().replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"
