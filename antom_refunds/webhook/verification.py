"""Who sent a notification: the merchant whose client-id and Antom's key fit the signature."""

from collections.abc import Mapping
from typing import Final

from antom_refunds.antom.signing import (
    MalformedSignatureError,
    MissingSignatureError,
    Signed,
    WrongSignatureError,
    verify,
)
from antom_refunds.merchants import Sender
from antom_refunds.webhook.refusals import Refusal, RefusedNoticeError
from antom_refunds.webhook.request import SignedHeaders

_SIGNATURE_FLAWS: Final = {
    MissingSignatureError: Refusal.MISSING_SIGNATURE,
    MalformedSignatureError: Refusal.MALFORMED_SIGNATURE,
    WrongSignatureError: Refusal.WRONG_SIGNATURE,
}


def verified_sender(
    senders: Mapping[str, Sender], headers: SignedHeaders, *, path: str, body: bytes
) -> Sender:
    """The sender of this client-id, whose keys made the signature; else RefusedNoticeError."""
    sender = senders.get(headers.client_id)
    if sender is None:
        raise RefusedNoticeError(Refusal.UNKNOWN_CLIENT)
    signed = Signed(path=path, client_id=headers.client_id, time=headers.time, body=body)
    try:
        verify(signed, headers.signature, [file.key for file in sender.keys])
    except tuple(_SIGNATURE_FLAWS) as error:
        raise RefusedNoticeError(_SIGNATURE_FLAWS[type(error)]) from error
    return sender
