"""How a process of ours is started from another one."""

import sys


def module_command(*arguments: str) -> list[str]:
    """The command `python -m`, with this interpreter.

    With -P a module of the same name in the current folder, such as a service's own worker.py, is
    never run instead of ours.
    """
    return [sys.executable, "-P", "-m", *arguments]
