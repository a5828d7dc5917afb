"""The development server: a Temporal server of its own, the API and the interpreter under one command.

Not for production, where `iwf-server start` connects to a Temporal that somebody operates. It runs on POSIX
systems only. `docs/running.md` describes it for users.
"""
