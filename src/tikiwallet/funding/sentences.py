"""What each state of a top-up or withdrawal means, in a sentence with its date: what people read while they wait."""

from collections.abc import Mapping
from datetime import datetime

from tikiwallet.funding.demo_bank import DemoBank
from tikiwallet.funding.types import Operation, OperationKind, OperationState, Reason, StoredOperation

K, S = OperationKind, OperationState
SENTENCES: Mapping[tuple[OperationKind, OperationState], str] = {
    (K.TOP_UP, S.REQUESTED): "We are asking your bank.",
    (K.TOP_UP, S.PENDING): "Your bank hasn't decided yet; we keep asking.",
    (K.TOP_UP, S.CONFIRMED): "Your bank has paid; the money is about to be in your wallet.",
    (K.TOP_UP, S.SETTLED): "The money is in your wallet.",
    (K.TOP_UP, S.DECLINED): "Your bank said no; nothing has moved.",
    (K.TOP_UP, S.RETURNING): "Your wallet couldn't take the money; it is on its way back to your bank.",
    (K.TOP_UP, S.RETURNED): "Your wallet couldn't take the money; your bank has it back.",
    (K.WITHDRAWAL, S.REQUESTED): "We are setting the money aside.",
    (K.WITHDRAWAL, S.REFUSED): "Your wallet couldn't give the money; nothing has moved.",
    (K.WITHDRAWAL, S.RESERVED): "The money is set aside; we are asking your bank.",
    (K.WITHDRAWAL, S.PENDING): "The money is set aside; your bank hasn't decided yet.",
    (K.WITHDRAWAL, S.CONFIRMED): "Your bank has the money; we are closing our books on it.",
    (K.WITHDRAWAL, S.SETTLED): "The money is in your bank account.",
    (K.WITHDRAWAL, S.RETURNING): "Your bank said no; the money is on its way back to your wallet.",
    (K.WITHDRAWAL, S.DECLINED): "Your bank said no; the money is back in your wallet.",
}
# With a date, where one is known: {day} is a weekday with its date.
BY_DAY: Mapping[tuple[OperationKind, OperationState], str] = {
    (K.TOP_UP, S.RETURNING): "Your wallet couldn't take the money; it returns to your card by {day}.",
    (K.TOP_UP, S.RETURNED): "Your wallet couldn't take the money; it returns to your card by {day}.",
    (K.WITHDRAWAL, S.PENDING): "The money is set aside; it arrives at your bank by {day}.",
    (K.WITHDRAWAL, S.CONFIRMED): "Your bank has the money since {day}.",
}
TO_PAY = "Nothing has moved yet; you can pay on the provider's page until {time}."
BY_REASON: Mapping[tuple[OperationKind, Reason], str] = {
    (K.TOP_UP, Reason.EXPIRED): "Nobody paid before the page closed; nothing has moved.",
    (K.TOP_UP, Reason.CANCELLED): "You cancelled it; nothing has moved.",
    (K.WITHDRAWAL, Reason.CANCELLED): "You cancelled it; the money is back in your wallet.",
}
CANCELLABLE = {S.REQUESTED, S.RESERVED, S.PENDING}


def shown(stored: StoredOperation, *, client_secret: str = "") -> Operation:
    """Return an operation as its owner sees it. The secret is for the one who ordered it, in that moment only."""
    return Operation(
        operation_id=stored.operation_id,
        kind=stored.kind,
        amount=stored.amount,
        state=stored.state,
        sentence=_sentence(stored),
        is_demo=stored.bank == DemoBank.name,
        created_at=stored.created_at,
        changed_at=stored.changed_at,
        reason=stored.reason,
        fee_minor=stored.fee_minor,
        go_to_url=stored.go_to_url,
        client_secret=client_secret,
        expires_at=stored.expires_at,
        expected_by=stored.expected_by,
        can_be_cancelled=stored.state in CANCELLABLE and not stored.is_cancelled,
    )


def _sentence(stored: StoredOperation) -> str:
    place = (stored.kind, stored.state)
    if stored.state is S.DECLINED and stored.reason:
        return BY_REASON[stored.kind, stored.reason]
    if stored.go_to_url and stored.expires_at is not None:
        return TO_PAY.format(time=f"{stored.expires_at:%H:%M} UTC on {_day(stored.expires_at)}")
    if stored.expected_by is not None and stored.bank != DemoBank.name and place in BY_DAY:
        return BY_DAY[place].format(day=_day(stored.expected_by))
    return SENTENCES[place]


def _day(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%B}"
