"""What each merchant has left to refund from (docs/antom.md#result-codes)."""

from antom_refunds.domain.money import Money
from antom_refunds.simulator.accounts import Client
from antom_refunds.simulator.records import Balance


class Purses:
    """Unsettled money by merchant and currency; a merchant without a balance never runs dry."""

    def __init__(self) -> None:
        self._minor: dict[str, dict[str, int] | None] = {}

    def fill(self, client: Client) -> None:
        """Give this merchant its balance, whatever it had before."""
        self._minor[client.client_id] = None if client.balance is None else {**client.balance}

    def left(self, client_id: str, currency: str) -> int | None:
        """Minor units left in this currency; None for no limit."""
        purse = self._minor.get(client_id)
        return None if purse is None else purse.get(currency, 0)

    def take(self, client_id: str, money: Money) -> None:
        self._add(client_id, money.currency, -money.minor)

    def give_back(self, client_id: str, money: Money) -> None:
        self._add(client_id, money.currency, money.minor)

    def _add(self, client_id: str, currency: str, minor: int) -> None:
        purse = self._minor.get(client_id)
        if purse is not None:
            purse[currency] = purse.get(currency, 0) + minor

    @property
    def balances(self) -> tuple[Balance, ...]:
        return tuple(
            Balance(client_id=client_id, minor=None if purse is None else {**purse})
            for client_id, purse in self._minor.items()
        )
