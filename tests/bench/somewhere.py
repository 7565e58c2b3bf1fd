"""A machine for hand-made findings; nothing was measured on it."""

from datetime import UTC, datetime
from typing import Final

from bench.machine import About

ABOUT: Final = About(
    at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    processor="a processor",
    cpus=2,
    memory_gib=8,
    system="Linux",
    load=0,
    versions={},
)
