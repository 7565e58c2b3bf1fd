"""The control door, through the client that everybody uses."""

from pathlib import Path

import httpx
import pytest

from antom_refunds.antom.client import AntomClient
from antom_refunds.antom.key_files import read_public_key
from antom_refunds.antom.signing import Signed, WrongSignatureError, verify
from antom_refunds.simulator.accounts import Client, Ending
from antom_refunds.simulator.door import ORDER_BYTES_MAX
from antom_refunds.simulator.faults import FaultKind, Operation
from antom_refunds.simulator.heard import CallKind
from antom_refunds.simulator.orders import BATCH_MAX, PREFIX, Forgery, OtherRefund
from antom_refunds.simulator.records import RefundStatus
from antom_refunds.simulator.remote import OrderRefusedError, SimulatorRemote
from antom_refunds.simulator.seals import Seal
from antom_refunds.simulator.world import World
from tests.simulator.stage import (
    CLIENT_ID,
    NOTIFY_URL,
    Merchant,
    Timeline,
    a_payment,
    a_script,
    an_order,
)


async def test_the_ledger_shows_everything_that_happened(
    remote: SimulatorRemote, client: Client, antom: AntomClient
) -> None:
    await remote.register_client(client.model_copy(update={"balance": {"EUR": 5000}}))
    await remote.add_payments(a_payment())
    await antom.refund(an_order())
    await antom.inquire_refund("rf_1")

    ledger = await remote.ledger()

    assert ledger.refund("rf_1").status is RefundStatus.SUCCESS
    assert [m.amount.minor for m in ledger.moved("rf_1")] == [1250]
    assert ledger.count("rf_1", CallKind.REFUND) == ledger.count("rf_1", CallKind.INQUIRY) == 1
    assert [len(p.digests) for p in ledger.payloads] == [1]
    assert ledger.balances[0].minor == {"EUR": 3750}


async def test_the_ledger_says_when_it_knows_no_such_refund(remote: SimulatorRemote) -> None:
    with pytest.raises(LookupError, match="rf_9"):
        (await remote.ledger()).refund("rf_9")


async def test_payments_may_be_entered_by_the_thousand(
    remote: SimulatorRemote, antom: AntomClient
) -> None:
    count = 2 * BATCH_MAX + 1

    await remote.add_payments(*(a_payment(payment_id=f"pay_{n}") for n in range(count)))

    last = await antom.inquire_payment(f"pay_{count - 1}")
    assert last.payment_status == "SUCCESS"


async def test_a_script_from_afar_is_played(remote: SimulatorRemote, antom: AntomClient) -> None:
    await remote.script(a_script(Operation.INQUIRY, FaultKind.ABSENT_NULL))

    assert (await antom.inquire_refund("rf_1")).result.result_status == "S"


@pytest.mark.parametrize("ending", [None, Ending.FAIL])
async def test_a_refund_in_process_can_be_ended_now(
    remote: SimulatorRemote,
    antom: AntomClient,
    timeline: Timeline,
    merchant: Merchant,
    ending: Ending | None,
) -> None:
    timeline.hold()
    await remote.add_payments(a_payment(is_async=True))
    await antom.refund(an_order(notify_url=NOTIFY_URL))

    ended = await remote.settle(CLIENT_ID, "rf_1", ends=ending)
    again = await remote.settle(CLIENT_ID, "rf_1", ends=Ending.CLOSED)

    assert ended == again
    assert ended.status is (RefundStatus.FAIL if ending else RefundStatus.SUCCESS)
    assert len((await remote.ledger()).movements) == int(ending is None)


async def test_an_unknown_refund_cannot_be_ended(remote: SimulatorRemote) -> None:
    with pytest.raises(OrderRefusedError, match="404"):
        await remote.settle(CLIENT_ID, "rf_9")


async def test_an_id_that_another_system_used_is_taken_for_our_payment(
    remote: SimulatorRemote, antom: AntomClient
) -> None:
    await remote.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    used = OtherRefund(
        client_id=CLIENT_ID, payment_id="pay_2", amount=an_order().amount, refund_request_id="rf_1"
    )

    other = await remote.refund_elsewhere(used)
    ours = await antom.refund(an_order())

    assert (other.status, other.is_made_elsewhere) == (RefundStatus.SUCCESS, True)
    assert ours.result.result_code == "REPEAT_REQ_INCONSISTENT"
    assert (await antom.inquire_refund("rf_1")).refund_status == "SUCCESS"
    assert [m.payment_id for m in (await remote.ledger()).moved("rf_1")] == ["pay_2"]
    listed = [(await antom.inquire_payment(each)).transactions for each in ("pay_1", "pay_2")]
    assert [[t.transaction_request_id for t in each] for each in listed] == [[], ["rf_1"]]


async def test_an_id_that_we_used_is_left_alone_by_another_system(
    remote: SimulatorRemote, antom: AntomClient
) -> None:
    await remote.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    await antom.refund(an_order())

    stays = await remote.refund_elsewhere(
        OtherRefund(
            client_id=CLIENT_ID,
            payment_id="pay_2",
            amount=an_order().amount,
            refund_request_id="rf_1",
        )
    )

    assert (stays.key_fields.payment_id, stays.is_made_elsewhere) == ("pay_1", False)
    assert len((await remote.ledger()).movements) == 1


async def test_a_refund_from_the_dashboard_has_an_id_of_antoms_own(
    remote: SimulatorRemote, world: World, antom: AntomClient
) -> None:
    await remote.add_payments(a_payment(is_async=True))
    dashboards = OtherRefund(client_id=CLIENT_ID, payment_id="pay_1", amount=an_order().amount)

    made = await remote.refund_elsewhere(dashboards)
    await world.background.idle()

    assert made.refund_request_id.startswith("dashboard-")
    assert (await antom.inquire_refund(made.refund_request_id)).refund_status == "SUCCESS"
    (listed,) = (await antom.inquire_payment("pay_1")).transactions
    assert listed.transaction_request_id == made.refund_request_id


async def test_a_payment_does_not_list_a_refund_whose_id_became_another_payments(
    remote: SimulatorRemote, antom: AntomClient
) -> None:
    await remote.add_payments(a_payment(), a_payment(payment_id="pay_2"))
    await remote.script(a_script(Operation.REFUND, FaultKind.NONE, FaultKind.FORGOTTEN))

    await antom.refund(an_order())
    await antom.refund(an_order(payment_id="pay_2"))

    assert (await antom.inquire_payment("pay_1")).transactions == ()


def _covered(request: httpx.Request) -> Signed:
    return Signed(
        path=request.url.raw_path.decode(),
        client_id=request.headers["client-id"],
        time=request.headers["request-time"],
        body=request.content,
    )


async def test_a_forgery_is_built_from_the_books_and_signed_by_a_stranger(
    remote: SimulatorRemote,
    antom: AntomClient,
    merchant: Merchant,
    antom_keys: tuple[Path, Path],
) -> None:
    await remote.add_payments(a_payment())
    await antom.refund(an_order())
    merchant.answers = [httpx.Response(401, text="no")]

    forged = await remote.forge(
        Forgery(url=NOTIFY_URL, client_id=CLIENT_ID, refund_request_id="rf_1", claims_success=False)
    )

    request = merchant.requests[0]
    with pytest.raises(WrongSignatureError):
        verify(_covered(request), request.headers["signature"], [read_public_key(antom_keys[1])])
    assert (forged.status_code, forged.body) == (401, "no")
    assert merchant.heard[0]["refundStatus"] == "FAIL"
    (sending,) = (await remote.ledger()).sent("rf_1")
    assert (sending.number, sending.fault) == (0, "signed_by_stranger")


@pytest.mark.parametrize("seal", [Seal.ANTOM, Seal.NOBODY])
async def test_any_body_can_be_sent_under_antoms_signature_or_none(
    remote: SimulatorRemote, merchant: Merchant, antom_keys: tuple[Path, Path], seal: Seal
) -> None:
    forgery = Forgery(url=NOTIFY_URL, client_id=CLIENT_ID, body="anything", seal=seal)

    forged = await remote.forge(forgery)

    request = merchant.requests[0]
    assert (forged.status_code, request.content) == (200, b"anything")
    assert ("signature" in request.headers) == (seal is Seal.ANTOM)
    if seal is Seal.ANTOM:
        keys = [read_public_key(antom_keys[1])]
        verify(_covered(request), request.headers["signature"], keys)


async def test_a_forgery_that_finds_nobody_says_why(
    remote: SimulatorRemote, merchant: Merchant
) -> None:
    merchant.answers = [httpx.ConnectError("refused")]

    forged = await remote.forge(Forgery(url=NOTIFY_URL, client_id=CLIENT_ID, body="anything"))

    assert (forged.status_code, forged.error) == (None, "ConnectError")


async def test_a_malformed_order_is_refused_with_what_is_wrong(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{PREFIX}/payments", content=b'{"payments": [{"colour": 1}]}')

    assert answer.status_code == 422
    assert "payments.0.payment_id: is required" in answer.text


async def test_an_order_longer_than_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{PREFIX}/payments", content=b" " * (ORDER_BYTES_MAX + 1))

    assert answer.status_code == 413
