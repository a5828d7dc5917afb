"""Becomes another program, which the kernel kills when the process that started it dies.

A script, run as `python -I -S tether.py PARENT_PID PROGRAM ARGUMENT...` and never imported: the request to
the kernel must be made in the child, and code between fork and exec is not safe in a process with threads.
Without it, a `kill -9` of the development server leaves a Temporal server that holds ports and data file.

The kernel watches the *thread* that started the child, so that thread must live as long as the child should.
Only Linux can do this; elsewhere the program starts all the same.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        if os.getppid() != int(parent):
            sys.exit("the parent is gone already")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
