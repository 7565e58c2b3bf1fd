"""The control API, through its client."""

from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.antom_client import AntomClient
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import SignedMessage, WrongSignatureError, verify
from antom_refunds.simulator.accounts import AntomMerchant, SettlementOutcome
from antom_refunds.simulator.authentication import SignedBy
from antom_refunds.simulator.control_api import (
    BATCH_MAX,
    PREFIX,
    REQUEST_BYTES_MAX,
    SendNotification,
)
from antom_refunds.simulator.control_client import ControlRequestError, SimulatorClient
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.ledger import ExternalRefund
from antom_refunds.simulator.records import RefundStatus
from antom_refunds.simulator.requests import CallKind
from antom_refunds.simulator.simulator import AntomSimulator
from tests.simulator.harness import (
    CLIENT_ID,
    NOTIFY_URL,
    FakeClock,
    MerchantWebhook,
    a_payment,
    a_script,
    an_order,
)


async def test_the_ledger_shows_everything_that_happened(
    control: SimulatorClient, merchant: AntomMerchant, antom: AntomClient
) -> None:
    await control.register_merchant(merchant.model_copy(update={"balance": {"EUR": 5000}}))
    await control.add_payments(a_payment())
    await antom.refund(an_order())
    await antom.inquire_refund("rf_1")

    ledger = await control.ledger()

    assert ledger.refund("rf_1").status is RefundStatus.SUCCESS
    assert [m.amount.minor for m in ledger.movements_of("rf_1")] == [1250]
    assert ledger.count("rf_1", CallKind.REFUND) == ledger.count("rf_1", CallKind.INQUIRY) == 1
    assert [len(p.digests) for p in ledger.payloads] == [1]
    assert ledger.balances[0].minor == {"EUR": 3750}


async def test_the_ledger_raises_for_an_unknown_refund(control: SimulatorClient) -> None:
    with pytest.raises(LookupError, match="rf_9"):
        (await control.ledger()).refund("rf_9")


async def test_more_payments_than_one_batch_can_be_added(
    control: SimulatorClient, antom: AntomClient
) -> None:
    count = 2 * BATCH_MAX + 1

    await control.add_payments(*(a_payment(payment_id=f"pay_{n}") for n in range(count)))

    last = await antom.inquire_payment(f"pay_{count - 1}")
    assert last.payment_status == "SUCCESS"


async def test_an_added_script_takes_effect(control: SimulatorClient, antom: AntomClient) -> None:
    await control.add_scripts(a_script(Operation.INQUIRY, FaultKind.NOT_FOUND_NULL))

    assert (await antom.inquire_refund("rf_1")).result.result_status == "S"


@pytest.mark.parametrize("outcome", [None, SettlementOutcome.FAIL])
async def test_a_refund_in_process_can_be_settled(
    control: SimulatorClient,
    antom: AntomClient,
    clock: FakeClock,
    webhook: MerchantWebhook,
    outcome: SettlementOutcome | None,
) -> None:
    clock.pause()
    await control.add_payments(a_payment(is_async=True))
    await antom.refund(an_order(notify_url=NOTIFY_URL))

    ended = await control.settle(CLIENT_ID, "rf_1", ends=outcome)
    again = await control.settle(CLIENT_ID, "rf_1", ends=SettlementOutcome.CLOSED)

    assert ended == again
    assert ended.status is (RefundStatus.FAIL if outcome else RefundStatus.SUCCESS)
    assert len((await control.ledger()).movements) == int(outcome is None)


async def test_an_unknown_refund_cannot_be_settled(control: SimulatorClient) -> None:
    with pytest.raises(ControlRequestError, match="404"):
        await control.settle(CLIENT_ID, "rf_9")


async def test_an_id_used_by_another_system_cannot_be_used_for_another_payment(
    control: SimulatorClient, antom: AntomClient
) -> None:
    await control.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    used = ExternalRefund(
        client_id=CLIENT_ID, payment_id="pay_2", amount=an_order().amount, refund_request_id="rf_1"
    )

    other = await control.add_external_refund(used)
    ours = await antom.refund(an_order())

    assert (other.status, other.is_external) == (RefundStatus.SUCCESS, True)
    assert ours.result.result_code == "REPEAT_REQ_INCONSISTENT"
    assert (await antom.inquire_refund("rf_1")).refund_status == "SUCCESS"
    assert [m.payment_id for m in (await control.ledger()).movements_of("rf_1")] == ["pay_2"]
    listed = [(await antom.inquire_payment(each)).transactions for each in ("pay_1", "pay_2")]
    assert [[t.transaction_request_id for t in each] for each in listed] == [[], ["rf_1"]]


async def test_an_external_refund_does_not_change_the_refund_under_a_used_id(
    control: SimulatorClient, antom: AntomClient
) -> None:
    await control.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    await antom.refund(an_order())

    stays = await control.add_external_refund(
        ExternalRefund(
            client_id=CLIENT_ID,
            payment_id="pay_2",
            amount=an_order().amount,
            refund_request_id="rf_1",
        )
    )

    assert (stays.key_fields.payment_id, stays.is_external) == ("pay_1", False)
    assert len((await control.ledger()).movements) == 1


async def test_a_dashboard_refund_gets_an_id_from_antom(
    control: SimulatorClient, simulator: AntomSimulator, antom: AntomClient
) -> None:
    await control.add_payments(a_payment(is_async=True))
    dashboards = ExternalRefund(client_id=CLIENT_ID, payment_id="pay_1", amount=an_order().amount)

    made = await control.add_external_refund(dashboards)
    await simulator.tasks.idle()

    assert made.refund_request_id.startswith("dashboard-")
    assert (await antom.inquire_refund(made.refund_request_id)).refund_status == "SUCCESS"
    (listed,) = (await antom.inquire_payment("pay_1")).transactions
    assert listed.transaction_request_id == made.refund_request_id


async def test_a_payment_does_not_list_a_refund_whose_id_was_reused_for_another_payment(
    control: SimulatorClient, antom: AntomClient
) -> None:
    await control.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    await control.add_scripts(a_script(Operation.REFUND, FaultKind.NONE, FaultKind.ID_FORGOTTEN))

    await antom.refund(an_order())
    await antom.refund(an_order(payment_id="pay_2"))

    assert (await antom.inquire_payment("pay_1")).transactions == ()


def _signed_part(request: httpx.Request) -> SignedMessage:
    return SignedMessage(
        path=request.url.raw_path.decode(),
        client_id=request.headers["client-id"],
        time=request.headers["request-time"],
        body=request.content,
    )


async def test_a_notification_is_built_from_the_ledger_and_signed_with_a_wrong_key(
    control: SimulatorClient,
    antom: AntomClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
) -> None:
    await control.add_payments(a_payment())
    await antom.refund(an_order())
    webhook.responses = [httpx.Response(401, text="no")]

    sent = await control.send_notification(
        SendNotification(
            url=NOTIFY_URL, client_id=CLIENT_ID, refund_request_id="rf_1", claims_success=False
        )
    )

    request = webhook.requests[0]
    with pytest.raises(WrongSignatureError):
        verify(
            _signed_part(request), request.headers["signature"], [read_public_key(antom_keys[1])]
        )
    assert (sent.status_code, sent.body) == (401, "no")
    assert webhook.received[0]["refundStatus"] == "FAIL"
    (attempt,) = (await control.ledger()).notifications_of("rf_1")
    assert (attempt.number, attempt.fault) == (0, "signed_by_wrong_key")


@pytest.mark.parametrize("signed_by", [SignedBy.ANTOM, SignedBy.UNSIGNED])
async def test_any_body_can_be_sent_with_antoms_signature_or_unsigned(
    control: SimulatorClient,
    webhook: MerchantWebhook,
    antom_keys: tuple[Path, Path],
    signed_by: SignedBy,
) -> None:
    request = SendNotification(
        url=NOTIFY_URL, client_id=CLIENT_ID, body="anything", signed_by=signed_by
    )

    sent = await control.send_notification(request)

    (received,) = webhook.requests
    assert (sent.status_code, received.content) == (200, b"anything")
    assert ("signature" in received.headers) == (signed_by is SignedBy.ANTOM)
    if signed_by is SignedBy.ANTOM:
        keys = [read_public_key(antom_keys[1])]
        verify(_signed_part(received), received.headers["signature"], keys)


async def test_an_unreachable_webhook_is_reported_with_its_error(
    control: SimulatorClient, webhook: MerchantWebhook
) -> None:
    webhook.responses = [httpx.ConnectError("refused")]

    sent = await control.send_notification(
        SendNotification(url=NOTIFY_URL, client_id=CLIENT_ID, body="anything")
    )

    assert (sent.status_code, sent.error) == (None, "ConnectError")


async def test_an_invalid_request_is_rejected_with_the_fields_at_fault(
    http: httpx.AsyncClient,
) -> None:
    response = await http.post(f"{PREFIX}/payments", content=b'{"payments": [{"colour": 1}]}')

    assert response.status_code == 422
    assert "payments.0.payment_id: is required" in response.text


async def test_a_request_longer_than_the_limit_is_rejected(http: httpx.AsyncClient) -> None:
    response = await http.post(f"{PREFIX}/payments", content=b" " * (REQUEST_BYTES_MAX + 1))

    assert response.status_code == 413
