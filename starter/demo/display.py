"""The output of the running demo: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from antom_refunds.views import RefundView
from starter.demo.scenarios import Scenario
from starter.rendering import coloured

_COLUMNS: Final = ("scenario", "amount", "state", "code", "note")


class Display:
    """Shows the current state of every refund of the demo."""

    def __init__(self, scenarios: Iterable[Scenario], console: Console) -> None:
        self._console = console
        self._scenarios = {scenario.order.refund_request_id: scenario for scenario in scenarios}
        self._views: dict[str, RefundView] = {}
        self._notes: dict[str, str] = {}
        self._started_at = time.monotonic()
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
        """Show the current state of a refund."""
        previous = self._views.get(view.refund_request_id)
        self._views[view.refund_request_id] = view
        if view.state is not None and (previous is None or previous.state is not view.state):
            self._line(view.refund_request_id, f"{view.state} ({view.result_code})")

    def note(self, refund_request_id: str, text: str) -> None:
        """Show a note on this refund."""
        self._notes[refund_request_id] = text
        self._line(refund_request_id, text)

    def _line(self, refund_request_id: str, text: str) -> None:
        if not self._console.is_terminal:
            title = self._scenarios[refund_request_id].title
            passed = time.monotonic() - self._started_at
            self._console.print(
                f"{passed:5.1f} s  {refund_request_id:<20} {title:<45} {text}",
                highlight=False,
                soft_wrap=True,
            )

    def _table(self) -> Table:
        passed = time.monotonic() - self._started_at
        ended = sum(not view.is_running for view in self._views.values())
        table = Table(
            *(Column(name, no_wrap=True, overflow="ellipsis") for name in _COLUMNS),
            title=f"{ended} of {len(self._scenarios)} refunds ended, {passed:.0f} s",
            box=None,
            title_justify="left",
        )
        for refund_request_id, scenario in self._scenarios.items():
            view = self._views.get(refund_request_id)
            table.add_row(
                scenario.title,
                str(scenario.amount),
                coloured(view.state) if view else "",
                view.result_code if view else "",
                self._notes.get(refund_request_id, ""),
            )
        return table
