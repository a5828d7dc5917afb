"""One development server per data file.

Temporal lets two servers open one file, and both would damage it. The lock is held by the open file, so it
is free again when its owner is gone, however it went. The lock file also says who holds it, for people.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from iwf_api.exits import ProcessError


class DataFileInUse(ProcessError):
    """Another development server uses the data file."""


@contextmanager
def data_file_lock(db: Path) -> Generator[Path]:
    """Hold the lock of a data file; the yielded lock file may be given to `describe_holder`.

    Raises:
        DataFileInUse: Another process holds it.
    """
    db.parent.mkdir(parents=True, exist_ok=True)
    path = db.with_name(db.name + ".lock")
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = path.read_text().strip() or "another process"
            raise DataFileInUse(
                f"{db} is in use by {holder}: stop that server, or use another file with --db"
            ) from error
        describe_holder(path, f"process {os.getpid()}")
        yield path
        path.unlink(missing_ok=True)


def describe_holder(path: Path, text: str) -> None:
    """Say who holds the lock, in words for the message of the next one who tries."""
    path.write_text(text + "\n")
