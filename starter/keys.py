"""Making key pairs: for a rehearsal, or for a merchant that brings its own to Antom."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cyclopts import App
from rich.console import Console

from antom_refunds.process import OK

app = App(name="keys", help="Make RSA key pairs.")


class KeysExistError(ValueError):
    """A key file stands where a new one would go; keys are never overwritten."""


@app.command
def new(directory: Path, *, name: str = "merchant") -> int:
    """Write NAME-private.pem (readable by you alone) and NAME-public.pem, RSA 2048.

    Parameters
    ----------
    directory
        Made if it is not there.
    name
        How the two files begin.
    """
    private, public = write_pair(directory, name)
    console = Console()
    console.print(f"keep secret      {private}", soft_wrap=True, highlight=False)
    console.print(f"upload at Antom  {public}", soft_wrap=True, highlight=False)
    return OK


def write_pair(directory: Path, name: str) -> tuple[Path, Path]:
    """A new pair's two files; raises KeysExistError rather than overwrite one."""
    directory.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = directory / f"{name}-private.pem"
    public = directory / f"{name}-public.pem"
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
        path.touch(mode=mode, exist_ok=False)
    except FileExistsError as error:
        raise KeysExistError(f"{path} exists; it is not overwritten") from error
    path.write_bytes(content)
