"""The whole schedule of a storm: a pure function of its shape and its seed."""

from random import Random
from typing import Final

from pydantic import BaseModel, ConfigDict

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Ending, Payment
from antom_refunds.simulator.orders import OtherRefund
from antom_refunds.simulator.plans import Script, Weather
from bench.storm.blows import Blow, drawn_blows
from bench.storm.interference import Act, drawn_acts, drawn_parts, scripted
from bench.storm.shape import Seconds, Shape
from bench.storm.skies import limited, waves, weather

CLIENT_ID: Final = "SANDBOX_5X00000000000000"
# Weeks in minutes: doubt is worked off after 0.25 s, 1.5 s, 3 s, 10 s.
PACE: Final = 480.0
_PAID: Final = Money(currency="EUR", minor=10**8)
_AMOUNT_MAX: Final = 50_000
_CONCURRENT: Final = 0.25
_CONFLICTING: Final = 0.03
_CONFLICT_AFTER: Final = 0.5
# At once; at a bank that pays, refuses or closes; by a method that refuses at once.
_KINDS: Final = (
    {"is_async": False},
    {"is_async": False},
    {"is_async": True, "ends": Ending.SUCCESS},
    {"is_async": True, "ends": Ending.SUCCESS},
    {"is_async": True, "ends": Ending.SUCCESS},
    {"is_async": True, "ends": Ending.FAIL},
    {"is_async": True, "ends": Ending.CLOSED},
    {"is_async": False, "refuses_with": "RISK_REJECT"},
)
_SETTLES: Final = (0.2, 5.0)


class Ask(BaseModel):
    """One caller asks for one refund at this moment; it may not be the only one to do so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Seconds
    caller: int
    order: RefundOrder


class Plan(BaseModel):
    """Everything that will happen in a storm, as far as anybody can decide it beforehand.

    `elsewhere` are refunds that another system makes before anybody asks, under ids of ours.
    `unusable` are ids about which Antom's first responses are all unusable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    shape: Shape
    payments: tuple[Payment, ...]
    asks: tuple[Ask, ...]
    blows: tuple[Blow, ...] = ()
    waves: tuple[tuple[Seconds, Seconds], ...] = ()
    scripts: tuple[Script, ...] = ()
    acts: tuple[Act, ...] = ()
    elsewhere: tuple[OtherRefund, ...] = ()
    unusable: frozenset[str] = frozenset()
    weather: Weather = Weather()

    @property
    def ids(self) -> frozenset[str]:
        """Every refundRequestId that anybody will ever choose."""
        return frozenset(ask.order.refund_request_id for ask in self.asks)


def drawn(shape: Shape, seed: int) -> Plan:
    """The same plan for the same shape and seed, on every machine."""
    # Reproducible on purpose; nothing secret hangs on it.
    dice = Random(f"storm/{shape.name}/{seed}")  # noqa: S311
    payments = tuple(_payment(number, dice) for number in range(shape.payments))
    asks = _asks(shape, payments, dice)
    blows, limits = drawn_blows(shape, dice), waves(shape, dice)
    first = {ask.order.refund_request_id: ask.at for ask in reversed(asks)}
    parts = drawn_parts(list(first), dice)
    in_waves = limited([(each, first[each]) for each in parts.ordinary], limits, dice)
    return Plan(
        seed=seed,
        shape=shape,
        payments=payments,
        asks=asks,
        blows=blows,
        waves=limits,
        scripts=in_waves + scripted(parts, dice),
        acts=drawn_acts(first, parts, dice),
        elsewhere=_elsewhere(parts.elsewhere, asks, payments, dice),
        unusable=frozenset(parts.unusable),
        weather=weather(seed),
    )


def _elsewhere(
    ids: list[str], asks: tuple[Ask, ...], payments: tuple[Payment, ...], dice: Random
) -> tuple[OtherRefund, ...]:
    """For each id a refund of another payment, of the same amount: the most alike to ours."""
    wallets = [each.payment_id for each in payments[:: len(_KINDS)]]
    orders = {ask.order.refund_request_id: ask.order for ask in reversed(asks)}
    return tuple(
        OtherRefund(
            client_id=CLIENT_ID,
            payment_id=dice.choice([one for one in wallets if one != orders[each].payment_id]),
            amount=orders[each].amount,
            refund_request_id=each,
        )
        for each in ids
    )


def _payment(number: int, dice: Random) -> Payment:
    plan = {
        "payment_id": f"storm-pay-{number}",
        "client_id": CLIENT_ID,
        "amount": _PAID,
        # The simulator divides its waits by the pace; these are meant as real seconds.
        "settle_after": dice.uniform(*_SETTLES) * PACE,
        **_KINDS[number % len(_KINDS)],
    }
    return Payment.model_validate(plan)


def _asks(shape: Shape, payments: tuple[Payment, ...], dice: Random) -> tuple[Ask, ...]:
    """At a steady rate; now and then by several callers at once, or once more with a flaw."""
    asks: list[Ask] = []
    for number in range(shape.refunds):
        at = number / shape.per_second
        order = _order(number, dice.choice(payments), dice)
        callers = _callers(shape, dice)
        asks += [Ask(at=at, caller=caller, order=order) for caller in callers]
        if dice.random() < _CONFLICTING:
            flawed = order.model_copy(update={"amount": _one_more(order.amount)})
            asks.append(Ask(at=at + _CONFLICT_AFTER, caller=callers[0], order=flawed))
    return tuple(sorted(asks, key=lambda ask: ask.at))


def _order(number: int, payment: Payment, dice: Random) -> RefundOrder:
    return RefundOrder(
        refund_request_id=f"storm-{number}",
        payment_id=payment.payment_id,
        amount=Money(currency=_PAID.currency, minor=dice.randint(1, _AMOUNT_MAX)),
    )


def _callers(shape: Shape, dice: Random) -> list[int]:
    several = dice.random() < _CONCURRENT
    return dice.sample(range(shape.callers), k=dice.randint(2, shape.callers) if several else 1)


def _one_more(amount: Money) -> Money:
    return amount.model_copy(update={"minor": amount.minor + 1})
