"""A few payments for `antom-refunds up`, and help on how to refund them."""

from typing import Final

from rich.console import Console

from antom_refunds.domain.money import Money
from antom_refunds.settings import env_name
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.control_client import SimulatorClient
from starter.stack import Stack

_PAYMENTS: Final = {
    "pay-wallet": ("wallet: refunds succeed immediately", False, SettlementOutcome.SUCCESS),
    "pay-bank": ("bank: refunds take half a minute", True, SettlementOutcome.SUCCESS),
    "pay-bank-fails": ("bank: refunds fail after half a minute", True, SettlementOutcome.FAIL),
}


async def add_sample_payments(stack: Stack, console: Console) -> None:
    """Add the payments to the simulator and print how to refund them."""
    client_id = stack.merchants["default"].client_id
    async with SimulatorClient(stack.simulator_url) as antom:
        await antom.wait_until_ready()
        await antom.add_payments(
            *(
                Payment(
                    payment_id=payment_id,
                    client_id=client_id,
                    amount=Money(currency="EUR", minor=100_000),
                    is_async=is_async,
                    ends=ends,
                )
                for payment_id, (_, is_async, ends) in _PAYMENTS.items()
            )
        )
    _print_help(stack, console)


def _print_help(stack: Stack, console: Console) -> None:
    console.print(f"Temporal UI   {stack.ui_url}", highlight=False)
    console.print(f"logs          {stack.home / 'logs'}", highlight=False)
    console.print("payments to refund, 1000.00 EUR each:", highlight=False)
    for payment_id, (what, *_) in _PAYMENTS.items():
        console.print(f"  {payment_id:<15} {what}", highlight=False)
    console.print("to refund one, run in another terminal, in this folder:", highlight=False)
    for name in ("TEMPORAL_ADDRESS", env_name("ui_url"), env_name("speedup")):
        console.print(f"  export {name}={stack.environment[name]}", highlight=False)
    console.print(
        '  .venv/bin/antom-refunds start pay-bank "12.50 EUR" --id my-first-refund --wait 60',
        highlight=False,
        soft_wrap=True,
    )
    console.print("Ctrl-C stops everything", highlight=False)
