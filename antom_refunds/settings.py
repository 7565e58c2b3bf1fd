"""Reads our settings from the environment; .env.example lists every variable.

Keys come from files only, so that no secret appears in an environment, a log or a history.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from antom_refunds.domain.case import ExternalRefunds
from antom_refunds.domain.order import MerchantKey
from antom_refunds.domain.policy import CALL_TIMEOUT, Policy
from antom_refunds.loopback import is_loopback

PREFIX: Final = "ANTOM_REFUNDS_"
_NESTED: Final = "__"
_BYTE_ORDER_MARK: Final = "\ufeff"
_REQUIRED: Final = re.compile(r".+__(CLIENT_ID|ANTOM_PUBLIC_KEY_FILES)")


class Unit(str):
    """The unit of a setting, for docs/configuration.md."""

    __slots__ = ()


SECONDS: Final = Unit("seconds")


class SettingsError(ValueError):
    """A setting is missing or invalid; the text names the variable and what to do."""


class LogFormat(StrEnum):
    """The format of log lines; `auto` is console on a terminal and JSON otherwise."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


def _split_paths(value: object) -> object:
    """Split comma-separated paths from an environment variable."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class Address(BaseModel):
    """An address to listen on."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _address(value: object) -> object:
    """Parse "127.0.0.1:9100"; the host is required, so that no port is exposed by accident."""
    if not isinstance(value, str):
        return value
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise ValueError("must be written like 127.0.0.1:9100")
    return {"host": host.removeprefix("[").removesuffix("]"), "port": int(port)}


def _header_value(text: str) -> str:
    """Antom compares these byte for byte, so an invisible blank would make every call fail."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be ASCII without blanks, as Antom shows it")
    if set(text) & set("\"',;"):
        raise ValueError("must have no quotes, commas or semicolons, as Antom shows it")
    return text


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
ListenAddress = Annotated[Address, NoDecode, BeforeValidator(_address)]
OptionalAddress = Annotated[Address | None, NoDecode, BeforeValidator(_address)]
# The router and the signatures use the path literally, so it must need no URL encoding.
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$")]
UrlPathAndQuery = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")]


class MerchantSettings(BaseModel):
    """One account at Antom: ANTOM_REFUNDS_MERCHANTS__<NAME>__<FIELD>.

    `sandbox` is derived from the client-id unless set. Timeouts are in seconds; together they must
    stay below Temporal's timeout for one attempt. A gateway without TLS is accepted on this
    machine and for a sandbox, where no money moves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: Annotated[
        HeaderValue,
        Field(
            max_length=128,
            description="The client-id that Antom gave this account, without blanks or quotes.",
        ),
    ]
    private_key_file: Annotated[
        Path | None,
        Field(
            description="The file with our own RSA private key: PEM or bare base64. "
            "The worker needs it; the webhook does not."
        ),
    ] = None
    antom_public_key_files: Annotated[
        list[Path],
        NoDecode,
        BeforeValidator(_split_paths),
        Field(
            min_length=1,
            description="The files with Antom's public keys, separated by commas. "
            "All of them are valid at the same time.",
        ),
    ]
    key_version: Annotated[
        HeaderValue,
        Field(max_length=32, description="The version of our key, as Antom's Dashboard shows it."),
    ] = "1"
    gateway: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^/\s]+$"),
        Field(
            description="Antom's gateway: scheme and host, without a path. "
            "http:// is allowed only on this machine and for a sandbox."
        ),
    ] = "https://open-sea-global.alipay.com"
    sandbox: Annotated[
        bool | None,
        Field(
            description="Whether to call the sandbox's paths. "
            "If not set: yes for a client-id that begins with SANDBOX_."
        ),
    ] = None
    connect_timeout: Annotated[
        Positive,
        SECONDS,
        Field(description="How long opening a connection to Antom may take."),
    ] = 4
    response_timeout: Annotated[
        Positive,
        SECONDS,
        Field(
            description="How long to wait for Antom's response. "
            "Twice the connect timeout plus this one is at most 25 s."
        ),
    ] = 15
    clock_skew_max: Annotated[
        Positive,
        SECONDS,
        Field(
            le=3600,
            description="How far Antom's clock and this machine's may differ. "
            "A response with a time outside is not trusted.",
        ),
    ] = 300
    external_refunds: Annotated[
        ExternalRefunds,
        Field(
            description="What to do about a refund that Antom reports and that does not run here: "
            "open a case, record it as a closed case, or ignore it except for a log line."
        ),
    ] = ExternalRefunds.CASE

    @property
    def is_sandbox(self) -> bool:
        return self.client_id.startswith("SANDBOX_") if self.sandbox is None else self.sandbox

    @model_validator(mode="after")
    def _gateway_is_private(self) -> Self:
        url = urlsplit(self.gateway)
        if url.scheme == "http" and not self.is_sandbox and not is_loopback(url.hostname or ""):
            raise ValueError(
                "GATEWAY must begin with https:// for an account that moves money; "
                "http:// is for this machine and for the sandbox"
            )
        return self

    @model_validator(mode="after")
    def _timeouts_fit(self) -> Self:
        limit = CALL_TIMEOUT - timedelta(seconds=5)
        if timedelta(seconds=2 * self.connect_timeout + self.response_timeout) > limit:
            raise ValueError(
                "2 x CONNECT_TIMEOUT + RESPONSE_TIMEOUT must not exceed "
                f"{limit.total_seconds():.0f} seconds"
            )
        return self


class Settings(BaseSettings):
    """The settings of all our processes, except Temporal's own (see temporal_config.py)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=_NESTED,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
    )

    merchants: dict[MerchantKey, MerchantSettings] = {}
    antom_calls_per_second: Annotated[
        float,
        Unit("calls/s"),
        Field(
            ge=1,
            le=10_000,
            description="Calls to Antom by all workers of a namespace together. Each worker "
            "spreads its own evenly; after a quiet period several may make twice as many in the "
            "first second.",
        ),
    ] = 50
    concurrent_calls_max: Annotated[
        int,
        Unit("calls"),
        Field(gt=0, le=10_000, description="Concurrent calls to Antom, for each worker."),
    ] = 100
    cached_workflows_max: Annotated[
        int,
        Unit("refunds"),
        Field(
            ge=0,
            le=1_000_000,
            description="Refunds that a worker keeps in memory, about 110 KiB each. "
            "Waiting and inquiries need no place in memory; "
            "a refund without one is replayed when it continues.",
        ),
    ] = 5000
    shutdown_seconds: Annotated[
        Positive,
        SECONDS,
        Field(
            le=3600,
            description="Grace period for calls in flight when a worker stops; "
            "the process exits at most 10 s after it.",
        ),
    ] = 35
    speedup: Annotated[
        Positive,
        Unit("factor"),
        Field(
            le=1_000_000,
            description="Divides every wait. 1 in production; "
            "more only to run weeks of waiting in minutes.",
        ),
    ] = 1
    overdue_days: Annotated[
        Positive,
        Unit("days"),
        Field(
            le=3650,
            description="Days without a terminal state after which an operator is alerted. It is "
            "read where the command line starts a refund; in Python, pass "
            "RefundClient.connect(policy=...).",
        ),
    ] = 10
    webhook_listen: Annotated[
        ListenAddress, Field(description="Where the webhook listens: host and port.")
    ] = Address(host="127.0.0.1", port=8080)
    webhook_path: Annotated[
        UrlPath, Field(description="The path on which the webhook accepts notifications.")
    ] = "/antom/refund-notify"
    webhook_public_path: Annotated[
        UrlPathAndQuery | None,
        Field(
            description="Path and query that Antom calls, if a proxy changes them: "
            "the signature covers them. If not set: the path of the request."
        ),
    ] = None
    health_listen: Annotated[
        OptionalAddress,
        Field(description="Where a worker serves /live and /ready. If not set: nowhere."),
    ] = None
    metrics_listen: Annotated[
        OptionalAddress,
        Field(
            description="Where worker and webhook serve Prometheus metrics on /metrics, "
            "an address each. If not set: nowhere."
        ),
    ] = None
    log_format: Annotated[
        LogFormat,
        Field(
            description="json, console, or auto: console on a terminal and JSON everywhere else."
        ),
    ] = LogFormat.AUTO
    log_level: Annotated[
        str,
        Field(
            pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
            description="The least severe level that is logged: DEBUG, INFO, WARNING or ERROR.",
        ),
    ] = "INFO"
    ui_url: Annotated[
        str,
        Field(pattern=r"^https?://\S+$", description="The Temporal UI that `show` links to."),
    ] = "http://localhost:8233"

    @model_validator(mode="after")
    def _client_ids_differ(self) -> Self:
        ids = [merchant.client_id for merchant in self.merchants.values()]
        if len(set(ids)) < len(ids):
            raise ValueError(
                "two merchants have the same CLIENT_ID: their notifications would be ambiguous"
            )
        return self

    @classmethod
    def from_env(cls) -> Self:
        """Read the environment; raises SettingsError, with all errors on one line.

        An empty value counts as unset, because some configuration files cannot unset a variable.
        """
        _reject_unreadable(os.environ)
        _reject_unknown(os.environ, cls.model_fields)
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(_describe_errors(error)) from error
        except UnreadableError as error:
            # Only `merchants` is parsed as JSON, if it is set as a whole.
            name = env_name("merchants")
            raise SettingsError(
                f"{name} is not a JSON object: set {name}__<NAME>__<FIELD> instead, "
                "see .env.example"
            ) from error

    @property
    def external_refunds(self) -> dict[str, ExternalRefunds]:
        """For each merchant, what happens with refunds that do not run here."""
        return {name: merchant.external_refunds for name, merchant in self.merchants.items()}

    @property
    def policy(self) -> Policy:
        return Policy.at_speedup(self.speedup, overdue_after=timedelta(days=self.overdue_days))


def env_name(*names: str) -> str:
    """The environment variable of a setting: env_name("merchants", "default", "client_id")."""
    return PREFIX + _NESTED.join(names).upper()


def _reject_unknown(environment: Mapping[str, str], known: Mapping[str, Any]) -> None:
    """Reject misspelt names, which would otherwise be ignored silently."""
    ours = (name for name in environment if name.upper().startswith(PREFIX))
    fields = {name: name.upper().removeprefix(PREFIX).split(_NESTED)[0].lower() for name in ours}
    if unknown := sorted(name for name, field in fields.items() if field not in known):
        raise SettingsError(f"{', '.join(unknown)}: no such setting; see .env.example")


def _reject_unreadable(environment: Mapping[str, str]) -> None:
    """Reject byte order marks and broken UTF-8; in a name they would hide the whole setting."""
    for raw_name, value in environment.items():
        name = raw_name.removeprefix(_BYTE_ORDER_MARK).upper()
        if not name.startswith(PREFIX):
            continue
        if _BYTE_ORDER_MARK in raw_name + value:
            raise SettingsError(
                f"{name}: there is a byte order mark before its name or in its value: "
                "save the file that sets it as UTF-8 without one"
            )
        if not _is_text(value):
            raise SettingsError(f"{name}: the value is not UTF-8")
        if not value and _REQUIRED.fullmatch(name):
            raise SettingsError(f"{name} is empty, but required: see .env.example")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _describe_errors(error: ValidationError) -> str:
    return "; ".join(
        f"{env_name(*(str(part) for part in flaw['loc'] if isinstance(part, str)))}: "
        f"{_rule(flaw['msg'])}"
        if flaw["loc"]
        else _rule(flaw["msg"])
        for flaw in error.errors(include_url=False)
    )


def _rule(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Field required", "is required")
