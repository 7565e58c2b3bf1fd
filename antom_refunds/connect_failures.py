"""Why connecting to Temporal failed: permanent causes (wrong settings) and transient ones.

The SDK raises RuntimeError for all of them, and only its text differs. The patterns match the
pinned SDK; a test triggers each of them with real sockets and certificates.
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

# Causes that persist until a setting is changed, by a pattern in the SDK's text.
_PERMANENT: Final[Mapping[str, str]] = {
    r"InvalidCertificate\(NotValidFor": "Temporal's certificate at {address} is for another name: "
    "set TEMPORAL_TLS_SERVER_NAME, or TEMPORAL_ADDRESS, to the certificate's name",
    r"InvalidCertificate\(Expired": "Temporal's certificate at {address} has expired: "
    "renew it on the server",
    r"InvalidCertificate\(": "Temporal's certificate at {address} is not trusted: "
    "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the certificate of its issuing authority",
    r"InvalidMessage\(": "Temporal at {address} does not speak TLS: "
    "unset TEMPORAL_TLS, or set it to false where TEMPORAL_API_KEY or certificates are set",
    r"PrivateKeyParseError|CertificateParseError|InconsistentKeys": "the client certificate or "
    f"its key cannot be used: check {_CLIENT_FILES}",
    r"AlertReceived\(": "Temporal at {address} refuses the TLS connection: "
    f"check {_CLIENT_FILES}",
    r"code: (Unauthenticated|PermissionDenied)": "Temporal at {address} refuses access: "
    "check TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
}
_CLOSED: Final = re.compile(r"error after connection|tls handshake eof")
_OTHER_PROTOCOL: Final = re.compile(r"http2 error|h2 protocol error")


def permanent_cause(text: str, address: str) -> str | None:
    """A sentence on which setting must be fixed; None if the cause may be transient."""
    for pattern, sentence in _PERMANENT.items():
        if re.search(pattern, text):
            return sentence.format(address=address)
    return None


def transient_cause(text: str, address: str) -> str:
    """A sentence on a failure that may be transient, for example while a server starts."""
    if _OTHER_PROTOCOL.search(text):
        return f"the server at {address} does not speak Temporal's gRPC: check TEMPORAL_ADDRESS"
    if _CLOSED.search(text):
        return (
            f"Temporal at {address} closed the connection: if this persists, "
            f"it requires another client certificate ({_CLIENT_FILES})"
        )
    return f"Temporal is not reachable at {address}: start it or set TEMPORAL_ADDRESS"


async def speaks_tls(address: str) -> bool:
    """Whether a TLS handshake succeeds at this address, with any certificate."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return False
    # Certificates do not matter here: nothing is sent over this connection.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PROBE_LIMIT.total_seconds()):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            writer.close()
            return True
    return False
