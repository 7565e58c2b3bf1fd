"""What the audience sees: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from antom_refunds.domain.refund import RefundState
from antom_refunds.views import RefundView
from starter.demo.scenes import Scene
from starter.show import coloured

_COLUMNS: Final = ("scene", "amount", "way", "code", "remark")


class Board:
    """Every refund of the demo, as it stands."""

    def __init__(self, scenes: Iterable[Scene], console: Console) -> None:
        self._console = console
        self._scenes = {scene.order.refund_request_id: scene for scene in scenes}
        self._views: dict[str, RefundView] = {}
        self._ways: dict[str, list[RefundState]] = {}
        self._remarks: dict[str, str] = {}
        self._begun = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, view: RefundView) -> None:
        """How a refund stands now."""
        way = self._ways.setdefault(view.refund_request_id, [])
        self._views[view.refund_request_id] = view
        if view.state is not None and (not way or way[-1] is not view.state):
            way.append(view.state)
            self._line(view.refund_request_id, f"{view.state} ({view.result_code})")

    def remark(self, refund_request_id: str, text: str) -> None:
        """Something the audience should know about this refund."""
        self._remarks[refund_request_id] = text
        self._line(refund_request_id, text)

    def _line(self, refund_request_id: str, text: str) -> None:
        if not self._console.is_terminal:
            title = self._scenes[refund_request_id].title
            passed = time.monotonic() - self._begun
            self._console.print(
                f"{passed:5.1f} s  {refund_request_id:<20} {title:<45} {text}",
                highlight=False,
                soft_wrap=True,
            )

    def _table(self) -> Table:
        passed = time.monotonic() - self._begun
        ended = sum(not view.is_running for view in self._views.values())
        table = Table(
            *(Column(name, no_wrap=True, overflow="ellipsis") for name in _COLUMNS),
            title=f"{ended} of {len(self._scenes)} refunds ended, {passed:.0f} s",
            box=None,
            title_justify="left",
        )
        for refund_request_id, scene in self._scenes.items():
            view = self._views.get(refund_request_id)
            way = self._ways.get(refund_request_id, [])
            table.add_row(
                scene.title,
                str(scene.amount),
                " → ".join(coloured(state) for state in way),
                view.result_code if view else "",
                self._remarks.get(refund_request_id, ""),
            )
        return table
