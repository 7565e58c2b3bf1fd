"""How a simulator process is set up: one JSON file."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.domain.money import Currency
from antom_refunds.simulator.accounts import Client, ClientId, NotifyUrl, Payment, Wait
from antom_refunds.simulator.plans import Weather
from antom_refunds.simulator.world import World


class ClientConfig(BaseModel):
    """A merchant whose public key stands in a file; the rest is as in Client."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    public_key_file: Path
    key_version: str = "1"
    balance: dict[Currency, Annotated[int, Field(ge=0)]] | None = None
    notify_url: NotifyUrl | None = None

    def client(self) -> Client:
        """Raises KeyFileError if the file holds no RSA public key."""
        key = read_public_key(self.public_key_file)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return Client(
            client_id=self.client_id,
            public_keys={self.key_version: pem},
            balance=self.balance,
            notify_url=self.notify_url,
        )


class SimulatorConfig(BaseModel):
    """A simulator on this host and port; port 0 takes a free one.

    It neither listens nor sends beyond this machine unless `loopback_only` is off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    antom_private_key_file: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8870
    clients: tuple[ClientConfig, ...] = ()
    payments: tuple[Payment, ...] = ()
    pace: Annotated[float, Field(gt=0)] = 1.0
    settle_after: Wait = timedelta(seconds=30)
    weather: Weather = Weather()
    signs_gate_refusals: bool = False
    loopback_only: bool = True

    @model_validator(mode="after")
    def _stays_at_home(self) -> Self:
        if self.loopback_only and not _is_loopback(self.host):
            raise ValueError("host must be a loopback address unless loopback_only is false")
        return self

    def world(self) -> World:
        """The world as configured; raises KeyFileError naming a file that is no key."""
        world = World(
            read_private_key(self.antom_private_key_file),
            pace=self.pace,
            settle_after=self.settle_after,
            weather=self.weather,
            signs_gate_refusals=self.signs_gate_refusals,
            loopback_only=self.loopback_only,
        )
        for client in self.clients:
            world.register(client.client())
        for payment in self.payments:
            world.ledger.add_payment(payment)
        return world


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
