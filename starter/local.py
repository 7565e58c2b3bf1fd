"""The commands that run processes: the parts of production, and the rehearsal on one machine."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter, validators
from pydantic import ValidationError
from rich.console import Console
from temporalio.runtime import Runtime

from antom_refunds.antom.key_files import KeyFileError
from antom_refunds.connection import TemporalUnavailableError, connect
from antom_refunds.domain.order import complaint
from antom_refunds.merchants import senders_of
from antom_refunds.namespace import register_attributes as register
from antom_refunds.notifications import NotificationDelivery
from antom_refunds.process import FAILED, OK, complain
from antom_refunds.serving import bind, serving
from antom_refunds.settings import Settings, SettingsError
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.server import serve_in_background
from antom_refunds.telemetry import runtime_of, set_up_logging
from antom_refunds.webhook import Handler, counting, create_app
from starter import rehearsal
from starter.demo import director
from starter.refunds import Json
from starter.report import print_report
from starter.stack import local_stack

log = logging.getLogger(__name__)

_DEMO: Final = Path(".demo")
_UP: Final = Path(".up")

_STOPPED: Final = 130

Pace = Annotated[
    float,
    Parameter(
        help="How many times faster than life; 1 is Antom's own time.",
        validator=validators.Number(gt=0),
    ),
]
Result = TypeVar("Result")


async def demo(*, keep: bool = False, pace: Pace = 60) -> int:
    """Watch two dozen refunds live through good and bad days, then audit the money.

    Parameters
    ----------
    keep
        Leave everything running afterwards, until Ctrl-C.
    """
    stop = _told_to_stop()
    async with local_stack(_DEMO, pace=pace) as stack:
        holds = await _unless(stop, director.run(stack, Console()))
        if keep and holds is not None:
            Console().print(f"everything still runs; look at {stack.ui_url}; Ctrl-C stops it")
            await stop.wait()
    if holds is None:
        return _STOPPED
    return OK if holds else FAILED


async def up(*, pace: Pace = 1) -> int:
    """Start the local stack, with a few payments to refund, until Ctrl-C."""
    stop = _told_to_stop()
    async with local_stack(_UP, pace=pace) as stack:
        await rehearsal.open_shop(stack, Console())
        ended = await _unless(stop, stack.until_one_ends())
    if ended is None:
        return OK
    complain(f"{ended} ended by itself; see {stack.home / 'logs'}")
    return FAILED


def worker() -> int:
    """Run a worker: the refunds themselves and their calls at Antom."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "worker"])  # noqa: S606 - no shell is wanted


async def webhook() -> int:
    """Run the notification handler that Antom calls."""
    settings = Settings.read()
    set_up_logging(settings)
    senders = senders_of(settings)
    if not senders:
        raise SettingsError("no merchant is configured: nobody's notifications could be verified")
    listening_at = bind(settings.webhook_listen)
    stop = _told_to_stop()
    runtime = runtime_of(settings)
    handler = Handler(
        notifications=NotificationDelivery(await connect(is_lazy=True, runtime=runtime)),
        senders=senders,
        count=counting(runtime.metric_meter),
        public_path=settings.webhook_public_path,
    )
    app = create_app(handler, path=settings.webhook_path)
    await _unless(stop, _require_temporal(runtime))
    async with serving(app, listening_at):
        await stop.wait()
    return OK


async def _require_temporal(runtime: Runtime) -> None:
    """Raises what is wrong for good; a Temporal that is unavailable now may come back."""
    try:
        await connect(runtime=runtime)
    except TemporalUnavailableError as error:
        log.warning("temporal.away", extra={"reason": str(error)})


async def simulator(config: Path) -> int:
    """Run the Antom simulator.

    Parameters
    ----------
    config
        Its JSON file; docs/simulator.md describes it.
    """
    set_up_logging(Settings.read())
    try:
        plan = _simulated(config)
        async with plan.build_simulator() as simulator:
            stop = _told_to_stop()
            async with serve_in_background(simulator, host=plan.host, port=plan.port):
                await stop.wait()
    except (KeyFileError, OSError) as error:
        raise SettingsError(str(error)) from error
    return OK


async def register_attributes(*, json: Json = False) -> int:
    """Add the search attributes that refunds need to the Temporal namespace."""
    added = await register(await connect())
    message = f"added: {', '.join(added)}" if added else "they are all there"
    if json:
        print_report("register-attributes", message=message)
    else:
        Console().print(message)
    return OK


def _simulated(config: Path) -> SimulatorConfig:
    try:
        return SimulatorConfig.model_validate_json(config.read_bytes())
    except ValidationError as error:
        raise SettingsError(f"{config}: {complaint(error, whole='file')}") from error


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What the work gives; None if told to stop first, and then it is cancelled."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _told_to_stop() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
