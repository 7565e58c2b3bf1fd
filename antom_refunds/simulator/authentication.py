"""Antom's gate, which rejects a request before anything is executed, and who signs the responses.

Source: docs/antom.md#signing.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from antom_refunds.antom.signing import SignatureError, SignatureHeader, SignedMessage, sign, verify
from antom_refunds.simulator.accounts import AntomMerchant, public_key
from antom_refunds.simulator.requests import CallKind, CallRejectedError

BODY_BYTES_MAX: Final = 64 * 1024
KEY_VERSION: Final = "1"
_KEY_BITS: Final = 2048

_CALLS: Final = {
    f"{root}/v1/payments/{kind}": (kind, is_sandbox)
    for kind in CallKind
    for root, is_sandbox in (("/ams/api", False), ("/ams/sandbox/api", True))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRequest:
    """An HTTP request, not yet verified; `body` is None if it exceeds BODY_BYTES_MAX."""

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
        """The part of the URL that a signature covers."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class VerifiedCall:
    """A call whose signature is this merchant's; its body is not parsed yet."""

    kind: CallKind
    client_id: str
    body: bytes


class Authenticator:
    """The registered merchants, and the verification of their requests."""

    def __init__(self) -> None:
        self._merchants: dict[str, AntomMerchant] = {}
        self._keys: dict[str, dict[str, rsa.RSAPublicKey]] = {}

    def register(self, merchant: AntomMerchant) -> None:
        """Add this merchant, or replace it with all its keys."""
        self._merchants[merchant.client_id] = merchant
        versions = merchant.public_keys.items()
        self._keys[merchant.client_id] = {version: public_key(pem) for version, pem in versions}

    def merchant(self, client_id: str) -> AntomMerchant | None:
        return self._merchants.get(client_id)

    def authenticate(self, request: IncomingRequest) -> VerifiedCall:
        """The verified call; raises CallRejectedError with Antom's result code."""
        kind, body = _endpoint(request), _body(request)
        merchant = self._merchants.get(request.client_id)
        if merchant is None:
            raise CallRejectedError("UNKNOWN_CLIENT")
        if merchant.is_sandbox != _CALLS[request.path][1]:
            raise CallRejectedError("INVALID_API")
        self._verify(request, body)
        return VerifiedCall(kind, merchant.client_id, body)

    def _verify(self, request: IncomingRequest, body: bytes) -> None:
        """Only the key of the version that the request names is tried."""
        signed = SignedMessage(
            path=request.target, client_id=request.client_id, time=request.time, body=body
        )
        try:
            version = SignatureHeader.parse(request.signature).key_version
            key = self._keys[request.client_id][version]
            verify(signed, request.signature, [key])
        except KeyError as error:
            raise CallRejectedError("KEY_NOT_FOUND") from error
        except SignatureError as error:
            raise CallRejectedError("INVALID_SIGNATURE") from error


def _endpoint(request: IncomingRequest) -> CallKind:
    if request.path not in _CALLS:
        raise CallRejectedError("INVALID_API")
    if request.method != "POST":
        raise CallRejectedError("METHOD_NOT_SUPPORTED")
    return _CALLS[request.path][0]


def _body(request: IncomingRequest) -> bytes:
    if not _is_json(request.content_type):
        raise CallRejectedError("MEDIA_TYPE_NOT_ACCEPTABLE")
    if request.body is None:
        raise CallRejectedError("MSG_PARSE_ERROR")
    if not request.time:
        raise CallRejectedError("PARAM_ILLEGAL")
    return request.body


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    charset = parameters.partition("charset=")[2].strip(' "')
    return media_type.strip() == "application/json" and charset in {"", "utf-8"}


class SignedBy(StrEnum):
    """The signer of a message."""

    ANTOM = "antom"
    WRONG_KEY = "wrong_key"
    UNSIGNED = "unsigned"


@cache
def _wrong_key() -> rsa.RSAPrivateKey:
    """One per process, because generating a key is slow; its public key is never published."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)


class Signers:
    """Antom's private key, and one that no merchant knows."""

    def __init__(self, private_key: rsa.RSAPrivateKey) -> None:
        self._keys = {SignedBy.ANTOM: private_key, SignedBy.WRONG_KEY: _wrong_key()}

    def header(self, signed: SignedMessage, signed_by: SignedBy) -> dict[str, str]:
        """The signature header; empty for UNSIGNED."""
        key = self._keys.get(signed_by)
        return {} if key is None else {"signature": sign(signed, key, key_version=KEY_VERSION)}
