"""Turning what a play saw into a recording.

A recording must not depend on ids, times, hosts and free texts, or else two plays on the same server would
differ. Everything else stays as it was on the wire. The recordings of the reference server were made with the
same rules, so a rule can only change together with them.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from iwf_testkit.golden.places import Json, is_list, is_object, value_at
from iwf_testkit.golden.scenarios import Case, Recording
from iwf_testkit.golden.scripted_worker import WorkerCall

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = frozenset(
    {
        "workflowStartedTimestamp",
        "firstAttemptTimestamp",
        "firingUnixTimestampSeconds",
        "FiringUnixTimestampSeconds",
    }
)
_PLAUSIBLE_SECONDS = 10 * 366 * 86400
_EMPTY_IS_ABSENT = frozenset(
    {
        "objects",
        "searchAttributes",
        "workflowExecutions",
        "dataObjects",
        "DataObjects",
        "dataAttributes",
        "stateLocals",
    }
)
_LONGEST_TEXT = 3000

_SCHEMA_ERROR = "invalid request schema"
_INVALID_REQUEST = "invalid request - "
_KEPT_DETAILS = (
    "WorkflowId is not set on request.",
    "workflow is still running, waiting has exceeded timeout limit, please retry",
    "requested data or search attributes are being locked by other operations",
)
_KEPT_DETAIL_STARTS = (
    "worker API error, status:",
    "unable to decode worker response body to WorkerErrorResponse: body",
)
_WORKER_FAILURE = re.compile(r"(statusCode: \d+, responseBody: .*, errMsg: ).*", re.DOTALL)
_CLIENT_FAILED_IT = "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What one play saw, as it was."""

    prefix: str
    worker_url: str
    server_url: str
    now: float
    """Unix seconds at its end."""
    answers: Mapping[str, dict[str, Json]]
    """By label."""
    calls: Sequence[WorkerCall]
    final: Mapping[str, Mapping[str, dict[str, Json]]]
    """Workflow id, then what was read."""


def recorded(case: Case, sighting: Sighting) -> Recording:
    """The recording of one play of a case."""
    return _Recorder(case, sighting).recording()


class _Recorder:
    """Numbers UUIDs by first appearance, so the parts of a recording are made in a fixed order."""

    def __init__(self, case: Case, sighting: Sighting) -> None:
        self._scenario = case.scenario
        self._seen = sighting
        self._uuids: dict[str, str] = {}
        # Which run of a chain answers is then a matter of timing.
        self._many_runs = case.variant.startswith("can") or case.scenario.many_runs

    def recording(self) -> Recording:
        answers = {label: self._answer(answer) for label, answer in self._seen.answers.items()}
        worker = self._worker()
        order = (
            [self._text(_order_name(call)) for call in self._seen.calls] if self._scenario.ordered else None
        )
        final = {
            self._text(workflow_id): {name: self._answer(answer) for name, answer in reads.items()}
            for workflow_id, reads in self._seen.final.items()
        }
        recording = Recording(answers=answers, worker=worker, order=order, final=final)
        if not self._scenario.ignore and not self._scenario.unordered:
            return recording
        value = msgspec.to_builtins(recording)
        for pattern in self._scenario.ignore:
            _replace(value, "", pattern, _hidden)
        for pattern in self._scenario.unordered:
            _replace(value, "", pattern, _sorted)
        return msgspec.convert(value, Recording)

    def _worker(self) -> Json:
        groups: dict[str, dict[str, list[WorkerCall]]] = {}
        for call in self._seen.calls:
            workflow_id = str(call.context.get("workflowId")).replace(self._seen.prefix, "<id>")
            groups.setdefault(workflow_id, {}).setdefault(call.name, []).append(call)
        return {
            self._text(workflow_id): {
                self._text(name): [self._call(call) for call in groups[workflow_id][name]]
                for name in sorted(groups[workflow_id])
            }
            for workflow_id in sorted(groups)
        }

    def _call(self, call: WorkerCall) -> Json:
        body = call.body
        if self._many_runs and call.api == "rpc" and "workflowRunId" in call.context:
            body = {**body, "context": {**call.context, "workflowRunId": "<run>"}}
        shown: dict[str, Json] = {"api": call.api or call.path}
        if not call.content_type.startswith("application/json"):
            shown["contentType"] = call.content_type
        shown["body"] = body
        return self._value(shown)

    def _answer(self, answer: dict[str, Json]) -> Json:
        shown = dict(answer)
        if shown.get("text"):
            shown["text"] = "<text>"
        if isinstance(shown.get("body"), dict):
            shown["body"] = self._body(shown["body"], shown["status"])
        return self._value(shown)

    def _body(self, original: dict[str, Json], status: Any) -> dict[str, Json]:
        body = dict(original)
        if isinstance(body.get("detail"), str) and isinstance(status, int) and status >= 400:
            _shorten_error(body)
        if isinstance(body.get("errorMessage"), str):
            body["errorMessage"] = _shortened_message(body)
        if isinstance(body.get("jsonData"), str):
            try:
                body["jsonData"] = msgspec.json.decode(body["jsonData"])
            except msgspec.DecodeError:
                body["jsonData"] = "<slice>"
            body["checksum"] = "<checksum>"
        if self._many_runs and "workflowStatus" in body and "workflowRunId" in body:
            body["workflowRunId"] = "<run>"
        if body.get("nextPageToken"):
            body["nextPageToken"] = "<token>"
        if "hostname" in body:
            body["hostname"] = "<host>"
        found = body.get("workflowExecutions")
        if is_list(found):
            body["workflowExecutions"] = sorted(found, key=lambda one: str(value_at(one, "workflowId")))
        return body

    def _value(self, value: Json, field: str | None = None) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if is_object(value):
            return {
                self._text(key): self._value(item, key)
                for key, item in value.items()
                if not (item == [] and key in _EMPTY_IS_ABSENT)
            }
        if is_list(value):
            return [self._value(item, field) for item in value]
        if field in _TIMES and isinstance(value, int) and abs(value - self._seen.now) < _PLAUSIBLE_SECONDS:
            return "<time>"
        return value

    def _text(self, text: str) -> str:
        if self._seen.prefix in text:
            text = text.replace(self._seen.worker_url, "<worker>").replace(self._seen.prefix, "<id>")
        text = text.replace(self._seen.server_url, "<server>")
        if len(text) > _LONGEST_TEXT:
            digest = hashlib.sha256(_UUID.sub("<uuid>", text).encode()).hexdigest()[:16]
            return f"<{len(text)} characters, sha256 {digest}>"
        return _UUID.sub(self._numbered, text)

    def _numbered(self, match: re.Match[str]) -> str:
        return self._uuids.setdefault(match[0], f"<uuid-{len(self._uuids) + 1}>")


def _order_name(call: WorkerCall) -> str:
    if call.api == "rpc":
        return f"rpc {call.body.get('rpcName')}"
    return f"{call.name} {call.api}"


def _shorten_error(body: dict[str, Json]) -> None:
    detail: str = body["detail"]
    if detail.startswith(_SCHEMA_ERROR):
        body["detail"] = _SCHEMA_ERROR
        body.setdefault("subStatus", "UNCATEGORIZED_SUB_STATUS")
    elif detail.startswith(_INVALID_REQUEST):
        body["detail"] = f"{_INVALID_REQUEST}<text>"
    elif detail not in _KEPT_DETAILS and not detail.startswith(_KEPT_DETAIL_STARTS):
        body["detail"] = "<text>"


def _shortened_message(body: dict[str, Json]) -> str:
    message: str = body["errorMessage"]
    if body.get("errorType") == _CLIENT_FAILED_IT:
        return message
    if failure := _WORKER_FAILURE.fullmatch(message):
        return f"{failure[1]}<text>"
    if message.startswith("err msg: "):
        return "err msg: <text>, response: <json>"
    for kind in ("StartToClose", "ScheduleToClose"):
        if message.startswith("activity error ") and f"activity {kind} timeout" in message:
            return f"activity error <text> activity {kind} timeout <text>"
    return "<text>"


def _hidden(_: Json) -> str:
    return "<not compared>"


def _sorted(value: Json) -> Json:
    return sorted(value, key=msgspec.json.encode) if is_list(value) else value


def _replace(value: Json, at: str, pattern: str, change: Callable[[Json], Json]) -> None:
    """Change what is at the places that fit a pattern, outermost first."""
    items: list[tuple[Any, Json]]
    if is_object(value):
        items = list(value.items())
    else:
        items = list(enumerate(value)) if is_list(value) else []
    for key, item in items:
        here = f"{at}/{key}" if at else str(key)
        if fnmatchcase(here, pattern):
            value[key] = change(item)
        else:
            _replace(item, here, pattern, change)
