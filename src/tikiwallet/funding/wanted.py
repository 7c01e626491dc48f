"""What somebody orders, compared with what stands under the same key: a retry never becomes another order."""

import msgspec

from tikiwallet.funding.types import OperationKind, StoredOperation, Through, TopUpOrder, WithdrawalOrder
from tikiwallet.platform.http import RequestInvalid
from tikiwallet.platform.money import Amount


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody orders; the same under the same key, or refused."""

    kind: OperationKind
    amount: Amount
    fee_minor: int = 0
    through: Through = Through.PAGE
    method_id: str = ""

    @classmethod
    def of(cls, order: TopUpOrder | WithdrawalOrder) -> "Wanted":
        """Read an order."""
        if isinstance(order, WithdrawalOrder):
            return cls(kind=OperationKind.WITHDRAWAL, amount=order.amount, fee_minor=order.fee_minor)
        if (order.through is Through.SAVED) != bool(order.method_id):
            raise RequestInvalid("A saved card is named, and only a saved card.", field="method_id")
        return cls(
            kind=OperationKind.TOP_UP, amount=order.amount, through=order.through, method_id=order.method_id
        )  # fmt: skip

    def is_wanted_by(self, stored: StoredOperation) -> bool:
        """Whether the operation that stands under the same key is this one."""
        return self == Wanted(
            kind=stored.kind, amount=stored.amount, fee_minor=stored.fee_minor, through=stored.through,
            method_id=stored.method_id,
        )  # fmt: skip
