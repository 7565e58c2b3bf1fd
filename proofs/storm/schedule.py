"""The whole schedule of a storm: a pure function of its size and its seed."""

from random import Random
from typing import Final

from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.simulator.accounts import Payment, SettlementOutcome
from antom_refunds.simulator.control_models import ExternalRefund
from antom_refunds.simulator.fault_plan import FaultScript, RandomFaults
from proofs.storm.antom_faults import random_faults, rate_limit_scripts, rate_limit_windows
from proofs.storm.interventions import (
    Intervention,
    draw_groups,
    draw_interventions,
    scripts_for_groups,
)
from proofs.storm.process_faults import ProcessFault, draw_process_faults
from proofs.storm.sizes import Seconds, StormModel, StormSize

CLIENT_ID: Final = "SANDBOX_5X00000000000000"
# Weeks in minutes: refunds in doubt are retried after 0.25 s, 1.5 s, 3 s, 10 s.
SPEEDUP: Final = 480.0
_PAID: Final = Money(currency="EUR", minor=10**8)
_AMOUNT_MAX: Final = 50_000
_CONCURRENT: Final = 0.25
_CONFLICTING: Final = 0.03
_CONFLICT_AFTER: Final = 0.5
# Immediately; at a bank that pays, refuses or closes; by a method that refuses immediately.
_KINDS: Final = (
    *({"is_async": False},) * 2,
    *({"is_async": True, "ends": SettlementOutcome.SUCCESS},) * 3,
    {"is_async": True, "ends": SettlementOutcome.FAIL},
    {"is_async": True, "ends": SettlementOutcome.CLOSED},
    {"is_async": False, "refuses_with": "RISK_REJECT"},
)
_SETTLES: Final = (0.2, 5.0)


class PlannedRequest(StormModel):
    """One caller requests one refund at this time; several callers may request the same one."""

    at: Seconds
    caller: int
    order: RefundOrder


class Plan(StormModel):
    """Everything about a storm that can be decided beforehand.

    `refunds_elsewhere` are made by another system under ids of ours, before we request them.
    `unusable` are ids to which Antom's first responses are all unusable.
    """

    seed: int
    size: StormSize
    payments: tuple[Payment, ...]
    requests: tuple[PlannedRequest, ...]
    process_faults: tuple[ProcessFault, ...] = ()
    rate_limit_windows: tuple[tuple[Seconds, Seconds], ...] = ()
    scripts: tuple[FaultScript, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    refunds_elsewhere: tuple[ExternalRefund, ...] = ()
    unusable: frozenset[str] = frozenset()
    random_faults: RandomFaults = RandomFaults()

    @property
    def ids(self) -> frozenset[str]:
        """Every refundRequestId that a caller will use."""
        return frozenset(request.order.refund_request_id for request in self.requests)


def draw_plan(size: StormSize, seed: int) -> Plan:
    """The same plan for the same size and seed, on every machine."""
    # Reproducible on purpose; nothing secret depends on it.
    dice = Random(f"storm/{size.name}/{seed}")  # noqa: S311
    payments = tuple(_payment(number, dice) for number in range(size.payments))
    requests = _requests(size, payments, dice)
    faults, windows = draw_process_faults(size, dice), rate_limit_windows(size, dice)
    first = {each.order.refund_request_id: each.at for each in reversed(requests)}
    groups = draw_groups(list(first), dice)
    limited = rate_limit_scripts([(each, first[each]) for each in groups.ordinary], windows, dice)
    return Plan(
        seed=seed,
        size=size,
        payments=payments,
        requests=requests,
        process_faults=faults,
        rate_limit_windows=windows,
        scripts=limited + scripts_for_groups(groups, dice),
        interventions=draw_interventions(first, groups, dice),
        refunds_elsewhere=_elsewhere(groups.elsewhere, requests, payments, dice),
        unusable=frozenset(groups.unusable),
        random_faults=random_faults(seed),
    )


def _elsewhere(
    ids: list[str],
    requests: tuple[PlannedRequest, ...],
    payments: tuple[Payment, ...],
    dice: Random,
) -> tuple[ExternalRefund, ...]:
    """For each id a refund of another payment with the same amount, so as similar as possible."""
    wallets = [each.payment_id for each in payments[:: len(_KINDS)]]
    orders = {each.order.refund_request_id: each.order for each in reversed(requests)}
    return tuple(
        ExternalRefund(
            client_id=CLIENT_ID,
            payment_id=dice.choice([one for one in wallets if one != orders[each].payment_id]),
            amount=orders[each].amount,
            refund_request_id=each,
        )
        for each in ids
    )


def _payment(number: int, dice: Random) -> Payment:
    # The simulator divides its waits by the speedup; these are meant as real seconds.
    settles = dice.uniform(*_SETTLES) * SPEEDUP
    usual = {"client_id": CLIENT_ID, "amount": _PAID, "settle_after": settles}
    kind = _KINDS[number % len(_KINDS)]
    return Payment.model_validate({"payment_id": f"storm-pay-{number}", **usual, **kind})


def _requests(
    size: StormSize, payments: tuple[Payment, ...], dice: Random
) -> tuple[PlannedRequest, ...]:
    """At a steady rate; some by several callers, some repeated with another amount."""
    requests: list[PlannedRequest] = []
    for number in range(size.refunds):
        at, payment = number / size.per_second, dice.choice(payments)
        amount = Money(currency=_PAID.currency, minor=dice.randint(1, _AMOUNT_MAX))
        fields = {"refund_request_id": f"storm-{number}", "payment_id": payment.payment_id}
        order = RefundOrder.model_validate({**fields, "amount": amount})
        several = dice.random() < _CONCURRENT
        count = dice.randint(2, size.callers) if several else 1
        callers = dice.sample(range(size.callers), k=count)
        requests += [PlannedRequest(at=at, caller=caller, order=order) for caller in callers]
        if dice.random() < _CONFLICTING:
            other = amount.model_copy(update={"minor": amount.minor + 1})
            again = order.model_copy(update={"amount": other})
            repeated = PlannedRequest(at=at + _CONFLICT_AFTER, caller=callers[0], order=again)
            requests.append(repeated)
    return tuple(sorted(requests, key=lambda request: request.at))
