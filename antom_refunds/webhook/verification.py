"""Verifies a notification's signature with Antom's keys for the client-id."""

from collections.abc import Mapping
from typing import Final

from antom_refunds.antom.signing import (
    MalformedSignatureError,
    MissingSignatureError,
    SignedMessage,
    WrongSignatureError,
    verify,
)
from antom_refunds.merchants import NotificationKeys
from antom_refunds.webhook.notification_request import SignedHeaders
from antom_refunds.webhook.rejections import RejectedNotificationError, Rejection

_SIGNATURE_REJECTIONS: Final = {
    MissingSignatureError: Rejection.MISSING_SIGNATURE,
    MalformedSignatureError: Rejection.MALFORMED_SIGNATURE,
    WrongSignatureError: Rejection.WRONG_SIGNATURE,
}


def verify_sender(
    keys_by_client_id: Mapping[str, NotificationKeys],
    headers: SignedHeaders,
    *,
    path: str,
    body: bytes,
) -> NotificationKeys:
    """The keys of this client-id, if one of them created the signature.

    Otherwise raises RejectedNotificationError.
    """
    keys = keys_by_client_id.get(headers.client_id)
    if keys is None:
        raise RejectedNotificationError(Rejection.UNKNOWN_CLIENT)
    signed = SignedMessage(path=path, client_id=headers.client_id, time=headers.time, body=body)
    try:
        verify(signed, headers.signature, [file.key for file in keys.keys])
    except tuple(_SIGNATURE_REJECTIONS) as error:
        raise RejectedNotificationError(_SIGNATURE_REJECTIONS[type(error)]) from error
    return keys
