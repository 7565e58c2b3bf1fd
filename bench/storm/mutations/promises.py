"""Ways to break what operators were promised, and how a run must end."""

from temporalio.exceptions import ApplicationError

from antom_refunds import contract
from antom_refunds.contract import Instruction, RefundOutcome
from antom_refunds.domain.evidence import Evidence, Word
from antom_refunds.domain.refund import Refund, RefundState
from bench.storm.mutations.replacement import replace


def doubt_unshown() -> None:
    """Whatever happens, no operator is called."""
    replace(Refund, "human_reason", property(lambda _: None))


def call_off_forgotten() -> None:
    """A call-off is accepted, and then taken for a wish to inquire."""
    honest = contract.instructed

    def instructed(word: Word, instruction: Instruction) -> Evidence:
        return honest(Word.CHECK if word is Word.CALL_OFF else word, instruction)

    replace(contract, "instructed", instructed)


def failure_raised() -> None:
    """A refund that failed makes its workflow fail as well."""
    honest = contract.outcome_of

    def outcome_of(refund: Refund) -> RefundOutcome:
        if refund.state is RefundState.FAILED:
            raise ApplicationError("the refund failed")
        return honest(refund)

    replace(contract, "outcome_of", outcome_of)
