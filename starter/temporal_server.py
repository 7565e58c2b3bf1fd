"""The local Temporal server: the path of its binary and its start command."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from antom_refunds.attributes import KEYS
from antom_refunds.settings import SettingsError
from starter.tcp_ports import HOST

# Remove waits of the development server that refunds do not need. The reason for each value is in
# docs/decisions/0004-local-server.md.
_FAST_SETTINGS: Final = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="10ms"',
    'history.transferProcessorUpdateAckInterval="1s"',
    'history.timerProcessorUpdateAckInterval="1s"',
    'history.visibilityProcessorUpdateAckInterval="1s"',
    "system.forceSearchAttributesCacheRefreshOnRead=false",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)
FAST_OPTIONS: Final = tuple(
    word for value in _FAST_SETTINGS for word in ("--dynamic-config-value", value)
)


def start_command(*, port: int, ui_port: int) -> list[str]:
    """The command of the development server, tuned for speed; raises SettingsError."""
    command = [
        temporal_cli(), "server", "start-dev", "--ip", HOST, "--ui-ip", HOST,
        "--port", str(port), "--ui-port", str(ui_port), "--log-level", "error",
    ]  # fmt: skip
    for key in KEYS:
        # Temporal's API says KEYWORD where its command line expects Keyword.
        command += ["--search-attribute", f"{key.name}={key.indexed_value_type.name.capitalize()}"]
    return [*command, *FAST_OPTIONS]


def temporal_cli() -> str:
    """The path of the Temporal CLI: from TEMPORAL_CLI_PATH, else from our wheel, else from PATH.

    Raises SettingsError if there is none.
    """
    installed = Path(sys.executable).with_name("temporal")
    found = os.environ.get("TEMPORAL_CLI_PATH") or (
        str(installed) if installed.exists() else shutil.which("temporal")
    )
    if not found:
        raise SettingsError(
            "no Temporal CLI found: run 'make setup', or set TEMPORAL_CLI_PATH to the binary"
        )
    return found
