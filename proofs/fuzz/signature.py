"""The signature header: whatever stands in it is refused as such, or was made by Antom's key."""

from typing import Final

from antom_refunds.antom.signing import SignatureError, SignatureHeader, WrongSignatureError, verify
from proofs.fuzz import antom

_BODY: Final = antom.NOTICES[0]
_HEADER: Final = antom.signature(_BODY)
_TRUE: Final = SignatureHeader.parse(_HEADER)


def seeds() -> list[bytes]:
    bare = "algorithm=RSA256, keyVersion=1, signature="
    texts = (_HEADER, bare, f"{bare}%2B%2F==", _HEADER.replace(", ", ","), _HEADER.upper())
    return [text.encode() for text in texts]


def one(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        header = SignatureHeader.parse(text)
    except SignatureError:
        return
    assert SignatureHeader.parse(str(header)) == header, "it reads otherwise when written again"
    _prove(text, is_true=header.value == _TRUE.value)


def _prove(text: str, *, is_true: bool) -> None:
    try:
        verify(antom.signed(_BODY), text, [antom.KEY.public_key()])
    except WrongSignatureError:
        assert not is_true, "Antom's own signature is refused"
    else:
        assert is_true, "a signature that Antom never made is taken"
