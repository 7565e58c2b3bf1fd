import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from antom_refunds.antom.key_files import KeyFileError, read_private_key, read_public_key
from antom_refunds.antom.signing import (
    MalformedSignatureError,
    MissingSignatureError,
    SignatureError,
    SignatureHeader,
    SignedMessage,
    WrongSignatureError,
    sign,
    verify,
)

BODY: Final = (
    b'{"refundRequestId":"rf_01J8Z3K7Q2_1","paymentId":"202609101940108001001880B0200000001",'
    b'"refundAmount":{"currency":"EUR","value":"1250"},"refundReason":"item returned",'
    b'"refundNotifyUrl":"https://pay.example.com/antom/refund-notify"}'
)
SIGNED: Final = SignedMessage(
    path="/ams/sandbox/api/v1/payments/refund",
    client_id="SANDBOX_5X00000000000000",
    time="1789531200000",
    body=BODY,
)


@pytest.fixture(scope="session")
def private(merchant_keys: tuple[Path, Path]) -> RSAPrivateKey:
    return read_private_key(merchant_keys[0])


@pytest.fixture(scope="session")
def public(merchant_keys: tuple[Path, Path]) -> RSAPublicKey:
    return read_public_key(merchant_keys[1])


@pytest.fixture(scope="session")
def stranger(antom_keys: tuple[Path, Path]) -> RSAPublicKey:
    return read_public_key(antom_keys[1])


@pytest.fixture(scope="session")
def header(private: RSAPrivateKey) -> str:
    return sign(SIGNED, private, key_version="1")


@pytest.fixture(scope="session")
def value(header: str) -> str:
    """The signature in plain base64."""
    return base64.b64encode(SignatureHeader.parse(header).value).decode()


# --- the signed content


def test_the_signed_content_is_method_path_client_time_and_body() -> None:
    assert SIGNED.to_sign() == (
        b"POST /ams/sandbox/api/v1/payments/refund\nSANDBOX_5X00000000000000.1789531200000." + BODY
    )


def test_the_header_has_antoms_format(private: RSAPrivateKey, value: str) -> None:
    header = sign(SIGNED, private, key_version="7")

    assert header == f"algorithm=RSA256, keyVersion=7, signature={quote_plus(value)}"
    assert SignatureHeader.parse(header).key_version == "7"


def test_equal_bytes_have_equal_signatures(private: RSAPrivateKey, header: str) -> None:
    assert sign(SIGNED, private, key_version="1") == header


def test_a_signature_over_these_bytes_is_valid(header: str, public: RSAPublicKey) -> None:
    verify(SIGNED, header, [public])


@pytest.mark.parametrize(
    "changed",
    [
        replace(SIGNED, path="/ams/api/v1/payments/refund"),
        replace(SIGNED, path=SIGNED.path + "?a=1"),
        replace(SIGNED, client_id="5X00000000000000"),
        replace(SIGNED, time="1789531200001"),
        replace(SIGNED, time=""),
        replace(SIGNED, body=BODY + b"\n"),
        replace(SIGNED, body=BODY.replace(b":", b": ")),
        replace(SIGNED, body=b""),
    ],
)
def test_a_signature_over_other_bytes_is_invalid(
    changed: SignedMessage, header: str, public: RSAPublicKey
) -> None:
    with pytest.raises(WrongSignatureError):
        verify(changed, header, [public])


@given(
    st.integers(min_value=0, max_value=len(SIGNED.to_sign()) - 1),
    st.integers(min_value=1, max_value=255),
)
def test_one_changed_byte_anywhere_makes_the_signature_invalid(
    header: str, public: RSAPublicKey, place: int, change: int
) -> None:
    content = bytearray(SIGNED.to_sign())
    content[place] ^= change

    class Tampered(SignedMessage):
        def content(self) -> bytes:
            return bytes(content)

    tampered = Tampered(path="", client_id="", time="", body=b"")
    with pytest.raises(WrongSignatureError):
        verify(tampered, header, [public])


# --- the key of the signature


def test_several_public_keys_are_valid_at_the_same_time(
    header: str, public: RSAPublicKey, stranger: RSAPublicKey
) -> None:
    verify(SIGNED, header, [stranger, public])
    verify(SIGNED, header, [public, stranger])


def test_a_signature_with_another_key_is_invalid(header: str, stranger: RSAPublicKey) -> None:
    with pytest.raises(WrongSignatureError):
        verify(SIGNED, header, [stranger])


def test_without_a_key_every_signature_is_invalid(header: str) -> None:
    with pytest.raises(WrongSignatureError):
        verify(SIGNED, header, [])


# --- the header


@pytest.mark.parametrize(
    "form",
    [
        "algorithm=RSA256, keyVersion=1, signature={encoded}",
        "algorithm=RSA256,keyVersion=1,signature={encoded}",
        "algorithm=RSA256,  keyVersion=1 ,signature={encoded} ",
        "Algorithm=RSA256, KEYVERSION=1, Signature={encoded}",
        "signature={encoded}, algorithm=RSA256",
        "algorithm=RSA256, keyVersion=1, signature={plain}",
        "algorithm=RSA256, keyVersion=1, signature={blanks}",
        "algorithm=RSA256, and more, x=y, signature={encoded}",
    ],
)
def test_every_form_of_the_header_is_read(form: str, public: RSAPublicKey, header: str) -> None:
    plain = base64.b64encode(SignatureHeader.parse(header).value).decode()
    blanks = plain.replace("+", " ")

    verify(SIGNED, form.format(encoded=quote_plus(plain), plain=plain, blanks=blanks), [public])


def test_a_plus_sign_survives_in_each_encoding() -> None:
    raw = base64.b64decode("a+b/cd==", validate=True)

    for text in ("a%2Bb%2Fcd%3D%3D", "a+b/cd==", "a b/cd=="):
        assert SignatureHeader.parse(f"algorithm=RSA256, signature={text}").value == raw


def test_without_a_key_version_it_is_the_first() -> None:
    assert SignatureHeader.parse("algorithm=RSA256, signature=").key_version == "1"


@pytest.mark.parametrize("header", [None, ""])
def test_no_header_is_a_missing_signature(header: str | None, public: RSAPublicKey) -> None:
    with pytest.raises(MissingSignatureError):
        verify(SIGNED, header, [public])


@pytest.mark.parametrize(
    "form",
    [
        "algorithm=RSA512, keyVersion=1, signature={}",
        "algorithm=rsa256, keyVersion=1, signature={}",
        "algorithm=none, keyVersion=1, signature={}",
        "keyVersion=1, signature={}",
        "{}",
        " ",
        "algorithm=RSA256, keyVersion=1",
        "algorithm=RSA256, keyVersion=1, signature=not base64!",
        "algorithm=RSA256, keyVersion=1, signature=abc",
        "algorithm=RSA256, keyVersion=1, signature=%FF%FE",
        "algorithm=RSA256, keyVersion=1, signature=ü",
    ],
)
def test_any_other_header_is_malformed(form: str, value: str, public: RSAPublicKey) -> None:
    with pytest.raises(MalformedSignatureError):
        verify(SIGNED, form.format(quote_plus(value)), [public])


@pytest.mark.parametrize("value", ["", "AAAA"])
def test_a_signature_of_another_length_is_wrong(value: str, public: RSAPublicKey) -> None:
    with pytest.raises(WrongSignatureError):
        verify(SIGNED, f"algorithm=RSA256, signature={value}", [public])


@given(
    st.text()
    | st.text().map("algorithm=RSA256, signature={}".format)
    | st.text(alphabet="%=,+/ aA0\x00").map("algorithm=RSA256,signature={}".format)
)
def test_no_header_text_raises_another_error(public: RSAPublicKey, text: str) -> None:
    with pytest.raises(SignatureError):
        verify(SIGNED, text, [public])


# --- key files


def _armoured(der: bytes) -> bytes:
    return base64.b64encode(der)


def _private_forms(key: RSAPrivateKey) -> Iterator[bytes]:
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        yield key.private_bytes(Encoding.PEM, form, NoEncryption())
        yield _armoured(key.private_bytes(Encoding.DER, form, NoEncryption()))
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # Antom's Python SDK writes this label for every key.
    yield pkcs8.replace(b" PRIVATE KEY", b" RSA PRIVATE KEY")
    yield pkcs8.replace(b"\n", b"\r\n")


def _public_forms(key: RSAPublicKey) -> Iterator[bytes]:
    for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1):
        yield key.public_bytes(Encoding.PEM, form)
        yield _armoured(key.public_bytes(Encoding.DER, form)) + b"\n"


@pytest.mark.parametrize("form", range(6))
def test_a_private_key_is_read_in_every_form(
    form: int, private: RSAPrivateKey, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(list(_private_forms(private))[form])

    assert read_private_key(file).private_numbers() == private.private_numbers()


@pytest.mark.parametrize("form", range(4))
def test_a_public_key_is_read_in_every_form(
    form: int, public: RSAPublicKey, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(list(_public_forms(public))[form])

    assert read_public_key(file).public_numbers() == public.public_numbers()


def _elliptic(*, is_private: bool) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    if is_private:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _encrypted(key: RSAPrivateKey, form: serialization.PrivateFormat) -> bytes:
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no unencrypted private key"),
        (b"bm90IGEga2V5", "holds no unencrypted private key"),
        (b"what is this?", "is neither PEM nor base64"),
        (b"\xff\xfe\x00", "is neither PEM nor base64"),
        (_elliptic(is_private=True), "holds a private key that is not RSA"),
        (_elliptic(is_private=False), "holds no unencrypted private key"),
    ],
)
def test_an_unusable_private_key_file_is_named(
    content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "merchant.pem"
    file.write_bytes(content)

    with pytest.raises(KeyFileError) as refusal:
        read_private_key(file)

    assert str(refusal.value) == f"{file} {message}"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_private_key_is_refused(
    form: serialization.PrivateFormat, private: RSAPrivateKey, tmp_path: Path
) -> None:
    file = tmp_path / "merchant.pem"
    file.write_bytes(_encrypted(private, form))

    with pytest.raises(KeyFileError, match=r"merchant\.pem (holds no unencrypted|is neither)"):
        read_private_key(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no public key"),
        (b"what is this?", "is neither PEM nor base64"),
        (_elliptic(is_private=False), "holds a public key that is not RSA"),
        (_elliptic(is_private=True), "holds no public key"),
    ],
)
def test_an_unusable_public_key_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "antom.pem"
    file.write_bytes(content)

    with pytest.raises(KeyFileError) as refusal:
        read_public_key(file)

    assert str(refusal.value) == f"{file} {message}"


@pytest.mark.parametrize("read", [read_private_key, read_public_key])
def test_a_key_file_that_cannot_be_read_is_named(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"

    with pytest.raises(KeyFileError, match=r"missing\.pem cannot be read: No such file"):
        read(missing)
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_an_error_about_a_key_never_shows_the_key(
    merchant_keys: tuple[Path, Path], tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    text = merchant_keys[0].read_text()
    file.write_text(text.replace("\n", "\n!", 2))

    with pytest.raises(KeyFileError) as refusal:
        read_private_key(file)

    assert text.splitlines()[3] not in repr(refusal.value) + repr(refusal.value.__cause__)
