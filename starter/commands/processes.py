"""The commands that run one process until it is stopped, and `register-attributes`."""

import logging
import os
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from temporalio.runtime import Runtime

from antom_refunds.antom.key_files import KeyFileError
from antom_refunds.asgi_server import bind, serve_in_background
from antom_refunds.connection import TemporalUnavailableError, connect
from antom_refunds.domain.order import describe_errors
from antom_refunds.merchants import load_notification_keys
from antom_refunds.namespace import register_attributes as register
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.process import OK, run_unless_stopped, stop_signal
from antom_refunds.settings import Settings, SettingsError
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.server import serve_simulator
from antom_refunds.telemetry import make_runtime, set_up_logging
from antom_refunds.webhook import NotificationHandler, create_app, notification_counter
from starter.commands.options import Json
from starter.json_report import print_report
from starter.module_command import module_command

log = logging.getLogger(__name__)


def worker() -> int:
    """Run a worker, which executes refunds and calls Antom."""
    command = module_command("worker")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


async def webhook() -> int:
    """Run the webhook, which receives Antom's notifications."""
    settings = Settings.from_env()
    set_up_logging(settings)
    keys = load_notification_keys(settings)
    if not keys:
        raise SettingsError("no merchant is configured, so no notification could be verified")
    listening_at = bind(settings.webhook_listen)
    stop = stop_signal()
    runtime = make_runtime(settings)
    handler = NotificationHandler(
        notifications=NotificationDelivery(
            await connect(is_lazy=True, runtime=runtime),
            external_refunds=settings.external_refunds,
        ),
        keys=keys,
        count=notification_counter(runtime.metric_meter),
        public_path=settings.webhook_public_path,
    )
    app = create_app(handler, path=settings.webhook_path)
    await run_unless_stopped(stop, _require_temporal(runtime))
    async with serve_in_background(app, listening_at):
        await stop.wait()
    return OK


async def _require_temporal(runtime: Runtime) -> None:
    """Raise permanent errors only; an unavailable Temporal may become available later."""
    try:
        await connect(runtime=runtime)
    except TemporalUnavailableError as error:
        log.warning("temporal.unavailable", extra={"reason": str(error)})


async def simulator(config: Path) -> int:
    """Run the Antom simulator.

    Parameters
    ----------
    config
        Its JSON configuration file, see docs/simulator.md.
    """
    set_up_logging(Settings.from_env())
    try:
        simulator_config = _read_simulator_config(config)
        async with simulator_config.build_simulator() as simulator:
            stop = stop_signal()
            async with serve_simulator(
                simulator, host=simulator_config.host, port=simulator_config.port
            ):
                await stop.wait()
    except (KeyFileError, OSError) as error:
        raise SettingsError(str(error)) from error
    return OK


async def register_attributes(*, json: Json = False) -> int:
    """Add the search attributes of refunds to the Temporal namespace."""
    added = await register(await connect())
    message = f"added: {', '.join(added)}" if added else "all search attributes exist already"
    if json:
        print_report("register-attributes", message=message)
    else:
        Console().print(message)
    return OK


def _read_simulator_config(config: Path) -> SimulatorConfig:
    try:
        return SimulatorConfig.model_validate_json(config.read_bytes())
    except ValidationError as error:
        raise SettingsError(f"{config}: {describe_errors(error, whole='file')}") from error
