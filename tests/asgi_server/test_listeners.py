"""Our servers respond without delay: Antom repeats a notification after a slow response."""

import socket

from antom_refunds import asgi_server
from antom_refunds.embedded_server import open_listener
from antom_refunds.settings import Address


def test_the_webhook_listens_on_the_shared_kind_of_socket() -> None:
    with asgi_server.bind(Address(host="127.0.0.1", port=0)) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_part_of_a_response_waits_for_the_one_before_it() -> None:
    with (
        open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        connection, _ = listener.accept()

        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
