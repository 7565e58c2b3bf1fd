"""Why no connection to Temporal came about: what a person must correct, and what may pass.

The SDK gives one RuntimeError for everything; only its text tells the causes apart. The texts
are those of the pinned SDK, and a test makes each of them with real sockets and certificates.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

_PROBE_LIMIT: Final = timedelta(seconds=3)
_CLIENT_FILES: Final = "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"

# Causes that stay until somebody changes a setting, by what the SDK's text contains.
_PERMANENT: Final[Mapping[str, str]] = {
    r"InvalidCertificate\(NotValidFor": "Temporal's certificate at {address} is for another name: "
    "set TEMPORAL_TLS_SERVER_NAME, or TEMPORAL_ADDRESS to the name that it is for",
    r"InvalidCertificate\(Expired": "Temporal's certificate at {address} has expired: "
    "it must be renewed there",
    r"InvalidCertificate\(": "Temporal's certificate at {address} is not trusted: "
    "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the certificate of the authority that issued it",
    r"InvalidMessage\(": "Temporal at {address} does not speak TLS: "
    "unset TEMPORAL_TLS, or set it to false where TEMPORAL_API_KEY or certificates are set",
    r"PrivateKeyParseError|CertificateParseError|InconsistentKeys": "the client certificate or "
    f"its key cannot be used: check {_CLIENT_FILES}",
    r"AlertReceived\(": "Temporal at {address} refuses the TLS connection: "
    f"check {_CLIENT_FILES}",
    r"code: (Unauthenticated|PermissionDenied)": "Temporal at {address} refuses us: "
    "check TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
}
_CLOSED: Final = re.compile(r"error after connection|tls handshake eof")
_OTHER_PROTOCOL: Final = re.compile(r"http2 error|h2 protocol error")


def permanent_cause(text: str, address: str) -> str | None:
    """A sentence on what a person must correct; None if the cause may pass by itself."""
    for pattern, sentence in _PERMANENT.items():
        if re.search(pattern, text):
            return sentence.format(address=address)
    return None


def transient_cause(text: str, address: str) -> str:
    """A sentence on a failure that may pass by itself, as when a server is being started."""
    if _OTHER_PROTOCOL.search(text):
        return f"what answers at {address} is not Temporal's gRPC: check TEMPORAL_ADDRESS"
    if _CLOSED.search(text):
        return (
            f"Temporal at {address} closed the connection: if it stays so, "
            f"it wants another client certificate ({_CLIENT_FILES})"
        )
    return f"Temporal is not reachable at {address}: start it or set TEMPORAL_ADDRESS"


async def speaks_tls(address: str) -> bool:
    """Whether a TLS handshake is possible there, with whatever certificate."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return False
    # Only a question about the protocol: nothing is sent over this connection.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PROBE_LIMIT.total_seconds()):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            writer.close()
            return True
    return False
