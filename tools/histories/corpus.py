"""The recorded histories as files: a folder per behaviour version, and a manifest of what each shows.

A file is never rewritten by a later build: it stands for the runs that the build before has left open. What
is written is free of the machine that it was recorded on.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from google.protobuf.json_format import MessageToDict
from temporalio.api.history.v1 import History as HistoryMessage
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.core import NEWEST_VERSION
from iwf_interpreter.temporal import check_history, read_history

FOLDER = Path(__file__).parents[2] / "packages" / "iwf-interpreter" / "tests" / "histories"
MAX_BYTES = 60_000

_STICKY_QUEUE = re.compile(r'"server:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"')


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest says of one file."""

    file: str
    """Path below the folder."""
    feature: str
    sentence: str
    version: int
    """Behaviour version (`iwf_interpreter.core.versions`) of the build that made it."""
    recorded: date


class TooLong(Exception):
    """A history that is longer than a recorded one should be."""


def read_manifest(folder: Path = FOLDER) -> list[Entry]:
    """The entries, in the order of their files."""
    path = folder / "manifest.json"
    return msgspec.json.decode(path.read_bytes(), type=list[Entry]) if path.exists() else []


def write_manifest(entries: Sequence[Entry], folder: Path = FOLDER) -> None:
    """Write the entries, in the order of their files."""
    ordered = sorted(entries, key=lambda entry: entry.file)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(ordered)) + b"\n")


def store(
    feature: str, sentence: str, histories: Sequence[Sequence[HistoryEvent]], folder: Path = FOLDER
) -> list[Entry]:
    """Write the runs of a feature, in place of those that this behaviour version has; nothing if one is bad.

    Returns:
        Their entries in the manifest, which is written too.

    Raises:
        TooLong: A run has more than `MAX_BYTES`.
        ReplayMismatch: A run does not replay.
    """
    texts = [as_text(events) for events in histories]
    for text in texts:
        check_history(read_history(text))
    entries = [
        Entry(
            file=file_name(feature, part),
            feature=feature,
            sentence=sentence,
            version=NEWEST_VERSION,
            recorded=datetime.now(UTC).date(),
        )
        for part in range(1, len(texts) + 1)
    ]
    kept: list[Entry] = []
    for entry in read_manifest(folder):
        if (entry.feature, entry.version) == (feature, NEWEST_VERSION):
            (folder / entry.file).unlink(missing_ok=True)
        else:
            kept.append(entry)
    for entry, text in zip(entries, texts, strict=True):
        path = folder / entry.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write_manifest([*kept, *entries], folder)
    return entries


def file_name(feature: str, part: int) -> str:
    """Path of a feature's file below the folder; a chain of runs has several parts."""
    suffix = f"-{part}" if part > 1 else ""
    return f"v{NEWEST_VERSION}/{feature}{suffix}.json"


def as_text(events: Sequence[HistoryEvent]) -> str:
    """A history in the form that Temporal's own tools write and read, without the process that made it.

    Raises:
        TooLong: It has more than `MAX_BYTES`.
    """
    document = MessageToDict(HistoryMessage(events=events))
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    # The queue of one process; its name means nothing to a replay.
    text = _STICKY_QUEUE.sub('"server:sticky"', text)
    if len(text.encode()) > MAX_BYTES:
        raise TooLong(f"{len(text.encode())} bytes, at most {MAX_BYTES} are wanted")
    return text
