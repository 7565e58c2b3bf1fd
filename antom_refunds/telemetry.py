"""Logs (standard library, rendered by structlog) and metrics (Temporal's runtime)."""

import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from temporalio import activity, workflow
from temporalio.common import MetricMeter
from temporalio.runtime import (
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from antom_refunds.settings import Address, LogFormat, Settings, SettingsError, env_name

# These log a line for each HTTP request, including its URL.
_NOISY_LOGGERS: Final = ("httpx", "httpcore", "uvicorn.access")


def set_up_logging(settings: Settings) -> None:
    """Write all log records of this process to standard error, one line each."""
    is_json = settings.log_format is LogFormat.JSON or (
        settings.log_format is LogFormat.AUTO and not sys.stderr.isatty()
    )
    renderer = structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # By default the SDK appends a dictionary to the event's name; we log it as fields instead.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def make_runtime(settings: Settings) -> Runtime:
    """The process's Temporal runtime, with a metrics endpoint if one is configured.

    Raises SettingsError if that endpoint's address is already in use.
    """
    listen = settings.metrics_listen
    metrics = PrometheusConfig(bind_address=_socket_address(listen)) if listen else None
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    try:
        return Runtime(telemetry=TelemetryConfig(logging=quiet, metrics=metrics))
    except ValueError as error:
        reason = str(error).rpartition(": ")[2]
        raise SettingsError(
            f"{env_name('metrics_listen')}: cannot listen on {listen}: {reason}"
        ) from error


def _socket_address(listen: Address) -> str:
    """The runtime accepts IP addresses only, with IPv6 in brackets."""
    host = "127.0.0.1" if listen.host == "localhost" else listen.host.strip("[]")
    return f"[{host}]:{listen.port}" if ":" in host else f"{host}:{listen.port}"


def clock_skew_observer(meter: MetricMeter) -> Callable[[str, timedelta], None]:
    """A function that records the difference between Antom's clock and ours, by merchant.

    Temporal's gauges accept no negative values, so there is one value for each direction.
    """
    gauge = meter.create_gauge_float(
        "refund_antom_clock_skew_seconds", "Difference between Antom's clock and ours, in seconds"
    )

    def observe(merchant: str, skew: timedelta) -> None:
        seconds = skew.total_seconds()
        gauge.set(max(seconds, 0.0), {"merchant": merchant, "direction": "ahead"})
        gauge.set(max(-seconds, 0.0), {"merchant": merchant, "direction": "behind"})

    return observe
