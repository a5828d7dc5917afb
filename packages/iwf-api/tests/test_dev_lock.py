"""One development server per data file."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iwf_api.dev.lock import DataFileInUse, data_file_lock

HOLDER = """
import sys
from pathlib import Path
from iwf_api.dev.lock import data_file_lock

with data_file_lock(Path(sys.argv[1])) as lock:
    lock.describe_holder("process 7")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    db = tmp_path / "deep" / "dev.db"

    with data_file_lock(db) as lock:
        lock.describe_holder("a longer text")
        lock.describe_holder("process 7 (API http://here)")
        expected = f"{db} is in use by process 7 (API http://here): stop that server, or use another file"
        with pytest.raises(DataFileInUse, match=re.escape(expected)), data_file_lock(db):
            pass


def test_holder_that_did_not_say_who_it_is_is_another_process(tmp_path: Path) -> None:
    db = tmp_path / "dev.db"
    with data_file_lock(db) as lock:
        lock.describe_holder("the one before")

    with (
        data_file_lock(db),
        pytest.raises(DataFileInUse, match="in use by another process"),
        data_file_lock(db),
    ):
        pass


def test_lock_is_free_after_its_holder(tmp_path: Path) -> None:
    db = tmp_path / "dev.db"
    with data_file_lock(db):
        pass

    with data_file_lock(db):
        pass


def test_lock_is_free_after_its_holder_was_killed(tmp_path: Path) -> None:
    db = tmp_path / "dev.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataFileInUse, match="process 7"), data_file_lock(db):
            pass
        os.kill(holder.pid, signal.SIGKILL)

    with data_file_lock(db):
        pass
