"""What is said about the webhook follows from the bursts."""

import pytest

from bench.webhook import WEBHOOK
from bench.webhook.findings import Burst, Kind, WebhookFindings
from tests.bench.somewhere import ABOUT

CPU = {"webhook": 0.2, "temporal": 1.0, "worker": 0.4, "sender": 0.1}


def burst(kind: Kind, **changes: object) -> Burst:
    accepted = 0 if kind is Kind.FORGED else 200
    told = {
        "kind": kind, "sent": 200, "accepted": accepted, "seconds": 2.0, "cpu": CPU,
        "checking": 0.01, **changes,
    }  # fmt: skip
    return Burst.model_validate(told)


def found(**changes: object) -> WebhookFindings:
    """A round of each, the fresh and the forged one with these changes."""
    bursts = [burst(Kind.REPEATED), burst(Kind.ENDED), burst(Kind.FRESH)]
    return WebhookFindings(about=ABOUT, at_once=32, bursts=(*bursts, burst(Kind.FORGED, **changes)))


def test_signature_checking_is_a_share_of_the_webhooks_own_time() -> None:
    assert burst(Kind.FRESH).share_of_checking == pytest.approx(0.05)
    assert "5.0 % of its CPU time is signature checking, 50 µs" in WEBHOOK.written(found())


def test_a_webhook_that_spent_less_than_can_be_counted_has_no_share() -> None:
    assert burst(Kind.FORGED, cpu={**CPU, "webhook": 0.0}).share_of_checking == 0.0


def test_rates_and_costs_are_for_each_notification() -> None:
    made = burst(Kind.FRESH)

    assert made.per_second == 100.0
    assert made.cpu_per_thousand("temporal") == pytest.approx(5.0)


def test_a_forgery_is_weighed_against_an_honest_notification() -> None:
    text = WEBHOOK.written(found(cpu={**CPU, "webhook": 0.08}))

    assert "costs the webhook 0.40 ms of CPU time: 40% of what" in text
    assert "and 5% of what an honest one costs webhook, Temporal and worker together" in text


def test_a_forgery_that_was_accepted_is_not_passed_over() -> None:
    assert "No forgery was accepted." in WEBHOOK.written(found())
    assert "3 forgeries were accepted." in WEBHOOK.written(found(accepted=3))


def test_it_is_said_how_many_were_accepted() -> None:
    text = WEBHOOK.written(found(accepted=3))

    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[2] for row in rows] == ["accepted", "---", "all", "all", "all", "3 of 200"]


def test_every_number_is_kept_with_the_report() -> None:
    kept = found()

    assert WEBHOOK.form.model_validate_json(kept.model_dump_json()) == kept
