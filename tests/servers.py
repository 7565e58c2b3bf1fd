"""Temporal servers for tests."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import Runtime
from temporalio.testing import WorkflowEnvironment

from antom_refunds import attributes

BIN: Final = Path(sys.executable).parent


async def start_temporal(
    runtime: Runtime,
    *,
    options: Sequence[str] = (),
    has_attributes: bool = True,
    port: int | None = None,
) -> WorkflowEnvironment:
    """A real Temporal server, with our search attributes unless the test says otherwise.

    `options` are added to its command line; `port` None takes a free one.
    """
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(BIN / "temporal"),
        data_converter=pydantic_data_converter,
        search_attributes=list(attributes.KEYS) if has_attributes else (),
        runtime=runtime,
        port=port,
        dev_server_extra_args=options,
    )
