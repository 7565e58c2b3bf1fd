"""The configuration of a simulator process: one JSON file (docs/simulator.md)."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, model_validator

from antom_refunds.antom.key_files import read_private_key, read_public_key
from antom_refunds.domain.money import Currency
from antom_refunds.loopback import is_loopback
from antom_refunds.simulator.accounts import AntomMerchant, ClientId, NotifyUrl, Payment, Wait
from antom_refunds.simulator.faults import RandomFaults
from antom_refunds.simulator.simulator import AntomSimulator


class MerchantConfig(BaseModel):
    """A merchant whose public key is in a file; the other fields are those of AntomMerchant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: ClientId
    public_key_file: Path
    key_version: str = "1"
    balance: dict[Currency, Annotated[int, Field(ge=0)]] | None = None
    notify_url: NotifyUrl | None = None

    def merchant(self) -> AntomMerchant:
        """The merchant with its key; raises KeyFileError if the file holds no RSA public key."""
        key = read_public_key(self.public_key_file)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return AntomMerchant(
            client_id=self.client_id,
            public_keys={self.key_version: pem},
            balance=self.balance,
            notify_url=self.notify_url,
        )


class SimulatorConfig(BaseModel):
    """A simulator on this host and port; port 0 takes a free one.

    It listens and sends on this machine only, unless `loopback_only` is false.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    antom_private_key_file: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8870
    merchants: tuple[MerchantConfig, ...] = ()
    payments: tuple[Payment, ...] = ()
    speedup: Annotated[float, Field(gt=0)] = 1.0
    settle_after: Wait = timedelta(seconds=30)
    random_faults: RandomFaults = RandomFaults()
    signs_gate_refusals: bool = False
    loopback_only: bool = True

    @model_validator(mode="after")
    def _host_is_loopback(self) -> Self:
        if self.loopback_only and not is_loopback(self.host):
            raise ValueError("host must be a loopback address unless loopback_only is false")
        return self

    def build_simulator(self) -> AntomSimulator:
        """A simulator with these merchants and payments.

        Raises KeyFileError with the name of a file that holds no RSA key.
        """
        simulator = AntomSimulator(
            read_private_key(self.antom_private_key_file),
            speedup=self.speedup,
            settle_after=self.settle_after,
            random_faults=self.random_faults,
            signs_gate_refusals=self.signs_gate_refusals,
            loopback_only=self.loopback_only,
        )
        for merchant in self.merchants:
            simulator.register(merchant.merchant())
        for payment in self.payments:
            simulator.ledger.add_payment(payment)
        return simulator
