"""Scenarios and recordings as files, and their models.

A scenario says what a client sends and what a scripted worker answers; its recording says what a server then
did. Decoding is strict: an unknown field is an error, so a misspelt one does not pass unnoticed. Nothing
here plays anything.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from iwf_testkit.golden.places import Json

Variant: TypeAlias = Literal["base", "can1", "local", "can1local", "greedy", "can1greedy"]

VARIANTS: Mapping[Variant, Mapping[str, Json]] = {
    "base": {},
    "can1": {"continueAsNewThreshold": 1},
    "local": {"optimizeActivity": True},
    "can1local": {"continueAsNewThreshold": 1, "optimizeActivity": True},
    "greedy": {"optimizeTimer": True},
    "can1greedy": {"continueAsNewThreshold": 1, "optimizeTimer": True},
}
"""What each variant adds to `workflowConfigOverride` of every start."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a file; unknown fields are refused."""


class Answer(_Part, frozen=True, kw_only=True):
    """One answer of the scripted worker."""

    status: int = 200
    body: Json = {}
    text: str | None = None
    """Sent as it is, in place of `body`."""
    content_type: str | None = None
    headers: Mapping[str, str] = {}
    delay_ms: int = 0
    gate: str | None = None
    """Answer only when a step has opened this gate."""
    drop: bool = False
    """Close the connection without an answer."""


class Condition(_Part, frozen=True, kw_only=True):
    """What an answer must contain."""

    status: int | UnsetType = UNSET
    body: Json = UNSET
    not_: Json = msgspec.field(name="not", default=UNSET)
    """What it must not contain."""


class Call(_Part, frozen=True, kw_only=True, tag_field="do", tag="call"):
    """A request to the server."""

    path: str
    """Below `/api/v1/workflow/`, or absolute."""
    method: str = "POST"
    headers: Mapping[str, str] = {}
    body: Json = UNSET
    raw: str | None = None
    """The body as text, in place of `body`."""
    label: str = ""
    """Name of the answer in the recording."""
    record: Literal["answer", "status", "nothing"] = "answer"
    save: Mapping[str, str] = {}
    """Placeholder name to a place of the answer's body."""
    until: Condition | None = None
    """Repeat until the answer is like this; only the last one counts."""
    within: float = 15.0
    """Seconds that `until` may take."""
    background: bool = False
    """Go on at once; a `Join` waits for the answer."""
    times: int | None = None
    """So many at once; their outcomes are counted."""
    elapsed: tuple[float, float] | None = None
    """Seconds that the call must take."""
    timeout: float = 70.0


class Await(_Part, frozen=True, kw_only=True, tag_field="do", tag="await"):
    """Wait until the worker has seen, or with `done` answered, some calls."""

    call: str
    count: int = 1
    done: bool = False
    timeout: float = 20.0


class Open(_Part, frozen=True, kw_only=True, tag_field="do", tag="open"):
    """Let the worker answer what waits at a gate."""

    gate: str


class Closed(_Part, frozen=True, kw_only=True, tag_field="do", tag="closed"):
    """Wait for the end of a workflow."""

    workflow: str
    timeout: float = 30.0


class NewRun(_Part, frozen=True, kw_only=True, tag_field="do", tag="newRun"):
    """Wait until the current run of a workflow is another one."""

    workflow: str
    than: str
    save: Mapping[str, str] = {}


class Join(_Part, frozen=True, kw_only=True, tag_field="do", tag="join"):
    """Wait for the answer of a background call."""

    label: str


class Settle(_Part, frozen=True, kw_only=True, tag_field="do", tag="settle"):
    """A pause, where nothing that can be seen marks the moment."""

    ms: int


Step: TypeAlias = Call | Await | Open | Closed | NewRun | Join | Settle


class FinalRead(_Part, frozen=True, kw_only=True):
    """A workflow that is read at the end."""

    workflow: str


class Scenario(_Part, frozen=True, kw_only=True):
    """A script for client and worker."""

    name: str = ""
    """`area/name`, from the path of the file."""
    about: str
    variants: tuple[Variant, ...] = ("base",)
    search: Mapping[str, str] = {}
    """Search attributes that are read at the end, with their types."""
    ordered: bool = False
    """The order of all worker calls is recorded."""
    many_runs: bool = False
    """It continues as new by itself, so ids of current runs are not compared."""
    ignore: tuple[str, ...] = ()
    """Patterns of places that are not compared."""
    unordered: tuple[str, ...] = ()
    """Patterns of lists whose order means nothing."""
    cleanup: tuple[str, ...] = ()
    """Further workflow ids to terminate afterwards."""
    worker: Mapping[str, tuple[Answer, ...]] = {}
    """`S1-1.execute`, `S1.execute`, `*.execute`, the same with waitUntil, `rpc.NAME`: one answer per call,
    the last one repeats."""
    steps: tuple[Step, ...]
    final: tuple[FinalRead, ...] | None = None
    """By default every workflow whose start was accepted."""


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a server did in a play, without ids, times, hosts and free texts."""

    answers: dict[str, Json]
    """By label, in order."""
    worker: Json
    """Workflow id, then state execution or RPC, then the calls in order."""
    order: Json = None
    """All worker calls in order of arrival, where the scenario asks for it."""
    final: Json
    """Workflow id, then what was read at the end."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario in one variant."""

    scenario: Scenario
    variant: Variant

    @property
    def id(self) -> str:
        """`area/name@variant`."""
        return f"{self.scenario.name}@{self.variant}"

    def fits(self, pattern: str) -> bool:
        """Whether a pattern names this case; one without `@` means all variants."""
        return fnmatchcase(self.id if "@" in pattern else self.scenario.name, pattern)


_SCENARIO = msgspec.json.Decoder(Scenario)
_RECORDING = msgspec.json.Decoder(Recording)


def load_cases(folder: Path) -> list[Case]:
    """All scenarios below a folder, each in all its variants, by name.

    Raises:
        msgspec.ValidationError: A file is not as the models say.
    """
    return [
        Case(scenario=scenario, variant=variant)
        for scenario in _scenarios(folder)
        for variant in scenario.variants
    ]


def load_recording(folder: Path, case: Case) -> Recording:
    """What the reference server did: `area/name.json`, with `@variant` in the name unless it is `base`.

    Raises:
        FileNotFoundError: It was never recorded.
        msgspec.ValidationError: The file is not as the model says.
    """
    name = case.scenario.name if case.variant == "base" else case.id
    return _RECORDING.decode((folder / f"{name}.json").read_bytes())


def _scenarios(folder: Path) -> Iterator[Scenario]:
    for file in sorted(folder.rglob("*.json")):
        scenario = _SCENARIO.decode(file.read_bytes())
        yield msgspec.structs.replace(scenario, name=file.relative_to(folder).with_suffix("").as_posix())
