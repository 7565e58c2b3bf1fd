"""From what Antom said, or did not say, to evidence about a refund (docs/antom.md#states)."""

from typing import Final

from antom_refunds.antom.errors import (
    AntomError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
)
from antom_refunds.antom.results import MEANINGS, Kind, kind_of, verdict
from antom_refunds.antom.wire import (
    Amount,
    PaymentInquiryAnswer,
    RefundAnswer,
    RefundInquiryAnswer,
    RefundNotice,
    Result,
)
from antom_refunds.domain.evidence import Evidence, Source, Word
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder

# Ours, where a notification is not what docs/antom.md#notifyrefund promises.
_ODD_NOTICE: Final = "odd_notification"
_ODDITY_MAX: Final = 300
_STATUS_CODES: Final = {Word.FAILED: "FAIL", Word.PROCESSING: "PROCESSING"}
_UNSENT_ADVICE: Final = (
    "check network, proxy and certificates between the worker and Antom's gateway"
)
_UNANSWERED_ADVICE: Final = "the same request is sent again"
_FAILED_WITHOUT_REASON: Final = "Antom names no reason: ask its support, or use a new id"


def answered(answer: RefundAnswer) -> Evidence:
    """What an answer to the refund call says."""
    judged = verdict(answer.result.result_status, answer.result.result_code)
    return Evidence(
        source=Source.ANSWER,
        word=judged.word,
        code=answer.result.result_code,
        message=_quoted("the refund call", answer.result),
        advice=judged.advice,
        needs_human=judged.needs_human,
        refund_request_id=answer.refund_request_id,
        payment_id=answer.payment_id,
        refund_id=answer.refund_id,
        amount=_money(answer.refund_amount),
        refund_time=answer.refund_time,
    )


def unanswered(error: OutcomeUnknownError | RefusedError) -> Evidence:
    """What the lack of an answer to the refund call says: doubt, or blocked at the gate."""
    is_refused = isinstance(error, RefusedError)
    return Evidence(
        source=Source.ANSWER,
        word=Word.BLOCKED if is_refused else Word.DOUBT,
        code=error.code,
        message=str(error),
        advice=_error_advice(error) or _UNANSWERED_ADVICE,
        needs_human=is_refused,
        claimed_code=error.claimed_code,
    )


def unsent(error: NotSentError) -> Evidence:
    """What a refund call says for which no connection ever opened: nothing was sent."""
    return Evidence(
        source=Source.ANSWER,
        word=Word.UNSENT,
        code=error.code,
        message=str(error),
        advice=_UNSENT_ADVICE if error.code == "not_sent" else "",
    )


def inquired(answer: RefundInquiryAnswer) -> Evidence:
    """What an answer to inquiryRefund says."""
    word, why = _inquired_word(answer)
    code = answer.result.result_code
    is_failure = word is Word.FAILED
    advice = _advice(code)
    return Evidence(
        source=Source.INQUIRY,
        word=word,
        # "SUCCESS" here is the inquiry's; as the refund's code it would mislead operators.
        code=_STATUS_CODES.get(word, code) if code == "SUCCESS" else code,
        message=why or _quoted("the inquiry", answer.result),
        advice=advice or _FAILED_WITHOUT_REASON if is_failure else advice,
        needs_human=word is Word.CLOSED or (is_failure and _wants_human(code)),
        refund_request_id=answer.refund_request_id,
        refund_id=answer.refund_id,
        amount=_money(answer.refund_amount),
        refund_time=answer.refund_time,
    )


def names_refund(answer: PaymentInquiryAnswer, order: RefundOrder) -> bool:
    """Whether this payment's transactions hold this refund (docs/antom.md#inquirypayment)."""
    is_payment = answer.payment_id in {None, order.payment_id}
    return is_payment and any(
        each.transaction_type == "REFUND"
        and each.transaction_request_id == order.refund_request_id
        and _money(each.transaction_amount) == order.amount
        for each in answer.transactions or ()
    )


def _inquired_word(answer: RefundInquiryAnswer) -> tuple[Word, str]:
    """The word, and a sentence where the quoted result would not explain it."""
    result = answer.result
    if result.result_status != "S":
        return _refused_inquiry(answer)
    match answer.refund_status:
        case "SUCCESS":
            return Word.SUCCEEDED, ""
        case "PROCESSING":
            return Word.PROCESSING, "the inquiry says PROCESSING"
        case _ if kind_of(result.result_code) is Kind.CLOSED:
            return Word.CLOSED, ""
        case "FAIL":
            return Word.FAILED, "the inquiry says FAIL"
        case None:
            return Word.ABSENT, "the inquiry knows no such refund"
        case status:
            # Antom's SDK knows more states than its page: none of them is an end.
            return Word.SUSPECT, f"the inquiry says {status[:16]!r}, which is no known status"


def _refused_inquiry(answer: RefundInquiryAnswer) -> tuple[Word, str]:
    """An inquiry that failed says nothing of the refund, with two exceptions."""
    result, status = answer.result, answer.refund_status
    match kind_of(result.result_code):
        case Kind.CLOSED | Kind.ABSENT if status in {"SUCCESS", "PROCESSING"}:
            said = f"{result.result_code}, but refundStatus {status}"
            return Word.SUSPECT, f"the inquiry disagrees with itself: {said}"
        case Kind.CLOSED:
            return Word.CLOSED, ""
        case Kind.ABSENT if result.result_status == "F":
            return Word.ABSENT, ""
        case _:
            return Word.SILENT, ""


def uninquired(error: AntomError) -> Evidence:
    """What an inquiry that brought no answer says: nothing about the refund.

    A refusal at the gate says that no inquiry will be answered before somebody fixes the cause.
    """
    is_refused = isinstance(error, RefusedError)
    return Evidence(
        source=Source.INQUIRY,
        word=Word.BLOCKED if is_refused else Word.SILENT,
        code=error.code,
        message=str(error),
        advice=_error_advice(error),
        needs_human=is_refused,
        claimed_code=error.claimed_code,
    )


def noticed(notice: RefundNotice) -> Evidence:
    """What a verified notification says."""
    judged = verdict(notice.result.result_status, notice.result.result_code)
    word = _noticed_word(judged.word, notice.refund_status)
    return Evidence(
        source=Source.NOTICE,
        word=word,
        code=notice.result.result_code,
        message=_noticed_message(notice, word),
        advice=judged.advice,
        needs_human=word is Word.FAILED and judged.needs_human,
        refund_request_id=notice.refund_request_id,
        refund_id=notice.refund_id,
        amount=_money(notice.refund_amount),
        refund_time=notice.refund_time,
    )


def noticed_oddly(refund_request_id: str, oddity: str) -> Evidence:
    """What a verified notification says that has a missing or unreadable field.

    `oddity` names the fields. It ends nothing, but it is about this refund: an inquiry is due,
    and an operator's look.
    """
    return Evidence(
        source=Source.NOTICE,
        word=Word.SUSPECT,
        code=_ODD_NOTICE,
        message=f"the notification cannot be taken as it is: {oddity[:_ODDITY_MAX]}",
        refund_request_id=refund_request_id,
    )


def _noticed_word(result: Word, refund_status: str) -> Word:
    """An end only where the result's status, its code and the refund's status all agree."""
    match result, refund_status:
        case Word.CLOSING, "FAIL":
            return Word.CLOSING
        case Word.SUCCEEDED, "SUCCESS":
            return Word.SUCCEEDED
        case Word.FAILED_UNCONFIRMED, "FAIL":
            return Word.FAILED
        case _:
            return Word.SUSPECT


def _noticed_message(notice: RefundNotice, word: Word) -> str:
    status, code = notice.refund_status[:16], notice.result.result_code[:64]
    if word is Word.SUSPECT:
        said = f"result {notice.result.result_status} {code}, refundStatus {status}"
        return f"the notification disagrees with itself: {said}"
    return f"notified: {status} ({code})"


def _advice(code: str) -> str:
    meaning = MEANINGS.get(code)
    return meaning.advice if meaning else ""


def _error_advice(error: AntomError) -> str:
    """What to do about it; a code that is claimed without proof may be a lie."""
    claimed = _advice(error.claimed_code)
    return _advice(error.code) or (f"if {error.claimed_code} is true: {claimed}" if claimed else "")


def _wants_human(code: str) -> bool:
    meaning = MEANINGS.get(code)
    return meaning is not None and meaning.needs_human


def _quoted(what: str, result: Result) -> str:
    """Antom's own words, short enough for the operators' tables."""
    return f"{what} was answered {result.result_code[:64]}: {result.result_message[:256]}"


def _money(amount: Amount | None) -> Money | None:
    """None for what is no amount: it is then held against the order like a missing one."""
    if amount is None:
        return None
    try:
        return amount.money()
    except ValueError:
        return None
