"""`python -m antom_refunds.simulator CONFIG.json`: serve until stopped."""

import asyncio
import logging
import sys
from pathlib import Path

from pydantic import ValidationError

from antom_refunds.antom.key_files import KeyFileError
from antom_refunds.domain.order import describe_errors
from antom_refunds.simulator.config import SimulatorConfig
from antom_refunds.simulator.server import serve


def main(arguments: list[str]) -> str | None:
    """Serve what this file describes; returns an error message if it cannot be served."""
    if len(arguments) != 1:
        return "usage: python -m antom_refunds.simulator CONFIG.json"
    try:
        config = SimulatorConfig.model_validate_json(Path(arguments[0]).read_bytes())
        asyncio.run(serve(config))
    except ValidationError as error:
        return f"{arguments[0]}: {describe_errors(error, whole='file')}"
    except (KeyFileError, OSError) as error:
        return str(error)
    except KeyboardInterrupt:
        return None
    return None


if __name__ == "__main__":
    logging.basicConfig()
    logging.getLogger("antom_refunds").setLevel(logging.INFO)
    sys.exit(main(sys.argv[1:]))
