"""Generates RSA key pairs, for the local stack and for merchants that upload a key at Antom."""

from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cyclopts import App, Parameter
from rich.console import Console

from antom_refunds.process import OK
from starter.json_report import print_report

app = App(name="keys", help="Generate RSA key pairs.")


class KeysNotWrittenError(ValueError):
    """The key files cannot be written, or already exist: keys are never overwritten."""


@app.command
def new(
    directory: Path,
    *,
    name: str = "merchant",
    json: Annotated[
        bool, Parameter(name="--json", negative=(), help="Print one JSON object, see docs/cli.md.")
    ] = False,
) -> int:
    """Write NAME-private.pem (readable only by you) and NAME-public.pem, RSA 2048.

    Parameters
    ----------
    directory
        Created if it does not exist.
    name
        The prefix of both file names.
    """
    private, public = write_pair(directory, name)
    if json:
        print_report("keys", message=f"keep secret: {private}, upload at Antom: {public}")
        return OK
    console = Console()
    for use, path in (("keep secret", private), ("upload at Antom", public)):
        console.print(f"{use:<15}  {path}", soft_wrap=True, highlight=False, markup=False)
    return OK


def write_pair(directory: Path, name: str) -> tuple[Path, Path]:
    """Write both files of a new pair and return their paths. Raises KeysNotWrittenError."""
    private = directory / f"{name}-private.pem"
    public = directory / f"{name}-public.pem"
    for path in (private, public):
        if path.exists():
            raise KeysNotWrittenError(f"{path} already exists and is not overwritten")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write(
        private,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        mode=0o600,
    )
    _write(
        public,
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        mode=0o644,
    )
    return private, public


def _write(path: Path, content: bytes, *, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=mode, exist_ok=False)
        path.write_bytes(content)
    except OSError as error:
        raise KeysNotWrittenError(f"{path} cannot be written: {error.strerror}") from error
