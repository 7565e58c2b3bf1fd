"""Puts the application's modules into its wheel; they stay at the repository's top level."""

from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULES: Final = ("activities", "starter", "workflows", "worker.py")


class ApplicationModules(BuildHookInterface[Any]):
    """The modules are copied into a wheel; an editable installation reads them where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is "standard" or "editable"."""
        if version == "standard":
            top = Path(self.root).parent
            build_data["force_include"] = {str(top / name): name for name in MODULES}
