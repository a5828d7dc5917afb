"""Reasons why the process cannot start or go on, each with its exit code.

    ProcessError                    1   the command failed
    ├── BackendUnreachable         69   the engine does not answer
    └── BackendMisconfigured       78   the engine answers, and is not set up for iWF

Not the errors of API calls, which are `iwf_api.errors`. A wrong command line is argparse's own exit, code 2.
"""


class ProcessError(Exception):
    """The command cannot do what was asked; the message is for the person who typed it."""

    exit_code = 1


class BackendUnreachable(ProcessError):
    """The engine did not answer for as long as the server waits for it."""

    exit_code = 69


class BackendMisconfigured(ProcessError):
    """The engine refuses what the server needs, for example a search attribute of another type."""

    exit_code = 78
