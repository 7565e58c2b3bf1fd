"""Our listeners answer at once: a delayed acknowledgement to Antom is a notification sent again."""

import socket
from collections.abc import Callable

import pytest

from antom_refunds import serving
from antom_refunds.settings import Address
from antom_refunds.simulator import server


def of_the_webhook() -> socket.socket:
    return serving.bind(Address(host="127.0.0.1", port=0))


def of_the_simulator() -> socket.socket:
    return server._listener("127.0.0.1", 0)


@pytest.mark.parametrize("listening", [of_the_webhook, of_the_simulator])
def test_no_part_of_an_answer_waits_for_the_one_before_it(
    listening: Callable[[], socket.socket],
) -> None:
    with listening() as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()

        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
