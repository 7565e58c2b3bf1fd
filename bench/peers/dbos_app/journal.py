"""SQLite as Temporal's development server has it here: with a log that is written ahead.

Commits then outlive every SIGKILL but not a loss of power, for both engines alike. DBOS has no
setting for it, so this is SQLAlchemy's own way to set pragmas.
"""

import sqlite3

from sqlalchemy import Engine, event


def write_ahead() -> None:
    """From now on for every SQLite connection of this process; other databases are untouched."""
    event.listen(Engine, "connect", _set_pragmas)


def _set_pragmas(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
