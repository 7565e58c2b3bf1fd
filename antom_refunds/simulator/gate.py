"""Antom's gate: what is refused before the books are opened (docs/antom.md#signing)."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from antom_refunds.antom.signing import SignatureError, SignatureHeader, Signed, verify
from antom_refunds.simulator.accounts import Client, public_key
from antom_refunds.simulator.heard import CallKind, RefusedError

BODY_BYTES_MAX: Final = 64 * 1024

_CALLS: Final = {
    f"{root}/v1/payments/{kind}": (kind, is_sandbox)
    for kind in CallKind
    for root, is_sandbox in (("/ams/api", False), ("/ams/sandbox/api", True))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as it came in; `body` None if it was longer than BODY_BYTES_MAX."""

    method: str
    path: str
    query: str
    content_type: str
    client_id: str
    time: str
    signature: str | None
    body: bytes | None

    @property
    def target(self) -> str:
        """What a signature covers of the address."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that is proven to come from this merchant; its body has not been read yet."""

    kind: CallKind
    client_id: str
    body: bytes


class Gate:
    """Knows the merchants and their public keys."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._keys: dict[str, dict[str, RSAPublicKey]] = {}

    def register(self, client: Client) -> None:
        """Know this merchant from now on, by these keys only."""
        self._clients[client.client_id] = client
        versions = client.public_keys.items()
        self._keys[client.client_id] = {version: public_key(pem) for version, pem in versions}

    def client(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def admit(self, arrival: Arrival) -> Admitted:
        """The call, if it may pass; raises RefusedError with Antom's code if not."""
        kind, body = _address(arrival), _message(arrival)
        client = self._clients.get(arrival.client_id)
        if client is None:
            raise RefusedError("UNKNOWN_CLIENT")
        if client.is_sandbox != _CALLS[arrival.path][1]:
            raise RefusedError("INVALID_API")
        self._prove(arrival, body)
        return Admitted(kind, client.client_id, body)

    def _prove(self, arrival: Arrival, body: bytes) -> None:
        """Only the key whose version the merchant names counts."""
        signed = Signed(
            path=arrival.target, client_id=arrival.client_id, time=arrival.time, body=body
        )
        try:
            version = SignatureHeader.parse(arrival.signature).key_version
            key = self._keys[arrival.client_id][version]
            verify(signed, arrival.signature, [key])
        except KeyError as error:
            raise RefusedError("KEY_NOT_FOUND") from error
        except SignatureError as error:
            raise RefusedError("INVALID_SIGNATURE") from error


def _address(arrival: Arrival) -> CallKind:
    if arrival.path not in _CALLS:
        raise RefusedError("INVALID_API")
    if arrival.method != "POST":
        raise RefusedError("METHOD_NOT_SUPPORTED")
    return _CALLS[arrival.path][0]


def _message(arrival: Arrival) -> bytes:
    if not _is_json(arrival.content_type):
        raise RefusedError("MEDIA_TYPE_NOT_ACCEPTABLE")
    if arrival.body is None:
        raise RefusedError("MSG_PARSE_ERROR")
    if not arrival.time:
        raise RefusedError("PARAM_ILLEGAL")
    return arrival.body


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    charset = parameters.partition("charset=")[2].strip(' "')
    return media_type.strip() == "application/json" and charset in {"", "utf-8"}
