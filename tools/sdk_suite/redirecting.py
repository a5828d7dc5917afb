"""A pytest plugin: the SDK's tests find server and worker on free ports instead of the fixed ones they name.

The tests take the server from the SDK's default options, start their worker when they are imported, and one
of them calls the worker by its fixed address. So three places are replaced before anything is collected: the
default options, the call that starts a Flask application, and the transport of `httpx`. What must stay true:
nothing of `iwf.tests` is touched, and no port but free ones is opened.
"""

import os
import socket
from typing import Any

import httpx
import pytest
from flask import Flask
from iwf.client_options import ClientOptions
from iwf.object_encoder import ObjectEncoder
from werkzeug.serving import make_server

SERVER_URL = "IWF_SDK_SUITE_SERVER_URL"
"""The environment variable that names the server under test."""

FIXED_WORKER_PORT = 8802
"""Where the tests believe their worker to be."""

HOST = "127.0.0.1"


def pytest_configure(config: pytest.Config) -> None:
    """Replace the fixed addresses."""
    # It listens from here on, so no call comes too early; the thread that answers is started by the tests.
    listener = socket.create_server((HOST, 0), backlog=128)
    config.add_cleanup(listener.close)
    worker_port: int = listener.getsockname()[1]
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    _replace_default_options(patch, os.environ[SERVER_URL], worker_port)
    _replace_flask_run(patch, listener)
    _replace_transport(patch, worker_port)


def _replace_default_options(patch: pytest.MonkeyPatch, server_url: str, worker_port: int) -> None:
    def local_default() -> ClientOptions:
        return ClientOptions(server_url, f"http://{HOST}:{worker_port}", ObjectEncoder.default)

    patch.setattr(ClientOptions, "local_default", local_default)


def _replace_flask_run(patch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    def run(app: Flask, host: str, port: int) -> None:
        assert port == FIXED_WORKER_PORT, port
        make_server(HOST, 0, app, threaded=True, fd=listener.fileno()).serve_forever()

    patch.setattr(Flask, "run", run)


def _replace_transport(patch: pytest.MonkeyPatch, worker_port: int) -> None:
    send = httpx.HTTPTransport.handle_request

    def handle_request(transport: httpx.HTTPTransport, request: httpx.Request) -> Any:
        if request.url.port == FIXED_WORKER_PORT:
            request.url = request.url.copy_with(host=HOST, port=worker_port)
        return send(transport, request)

    patch.setattr(httpx.HTTPTransport, "handle_request", handle_request)
