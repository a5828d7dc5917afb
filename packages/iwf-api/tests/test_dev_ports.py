"""Ports for child processes."""

import socket

import pytest

from iwf_api.dev.ports import HOST, free_port, port_for_child
from iwf_api.listener import CannotListen


def test_free_ports_are_different_and_can_be_listened_on() -> None:
    ports = [free_port() for _ in range(20)]

    for port in ports:
        socket.create_server((HOST, port)).close()
    assert len(set(ports)) == 20


def test_port_zero_is_a_free_one() -> None:
    assert port_for_child(0, flag="--ui-port") > 0


def test_free_port_is_taken_as_it_is() -> None:
    port = free_port()

    assert port_for_child(port, flag="--ui-port") == port


def test_taken_port_is_refused_by_its_flag() -> None:
    with socket.create_server((HOST, 0)) as taken, pytest.raises(CannotListen, match="with --ui-port"):
        port_for_child(taken.getsockname()[1], flag="--ui-port")
