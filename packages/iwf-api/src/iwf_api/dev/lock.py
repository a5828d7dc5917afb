"""One development server per data file.

Temporal lets two servers open one file, and both would damage it. The lock is held by the open file, so it
is free again when its owner is gone, however it went. The lock file also says who holds it, for people; it
is left behind, since a file that is removed while another process waits for it locks nothing.
"""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from iwf_api.exits import ProcessError


class DataFileInUse(ProcessError):
    """Another development server uses the data file."""


class DataFileLock:
    """A lock that is held."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def describe_holder(self, text: str) -> None:
        """Say who holds the lock, in words for the message of the next one who tries."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


@contextmanager
def data_file_lock(db: Path) -> Generator[DataFileLock]:
    """Hold the lock of a data file, which need not exist yet; its folder is made.

    Args:
        db: The file, with symbolic links resolved, so that it has one lock under all its names.

    Raises:
        DataFileInUse: Another process holds it.
    """
    db.parent.mkdir(parents=True, exist_ok=True)
    path = db.with_name(db.name + ".lock")
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = path.read_text().strip() or "another process"
            raise DataFileInUse(
                f"{db} is in use by {holder}: stop that server, or use another file with --db"
            ) from error
        lock = DataFileLock(file)
        lock.describe_holder("")
        yield lock
