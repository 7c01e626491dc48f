"""Documents without signatures, made in a few words: the close judges what was signed, not the signatures."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tikicash.closing import CloseInput
from tikicash.cose import document_id
from tikicash.layout import doc_type, write_body
from tikicash.messages import Payment, Piece, Signed, Voucher, key_id

FIRST = 1000  # the first unit of a voucher, unless told
EUR = 978
NOW = 1_767_603_600


def unsigned(body: Any) -> Signed[Any]:
    payload = write_body(body)
    return Signed(body=body, payload=payload, signature=bytes(64), id=document_id(doc_type(body), payload))


@dataclass(frozen=True)
class Key:
    """A phone's key; `account` is whose it is, or None for a key that nobody registered."""

    name: str
    account: str | None = ""
    public: bytes = field(init=False, repr=False)
    id: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", b"\2" + hashlib.sha256(self.name.encode()).digest())
        object.__setattr__(self, "id", key_id(self.public))

    @property
    def owner(self) -> Hashable:
        return self.id if self.account is None else self.account or self.name


OPERATOR = Key("operator")


def voucher(owner: Key, count: int, **changes: Any) -> Signed[Voucher]:
    body = Voucher(
        net=1,
        issuer=1,
        currency=EUR,
        first=FIRST,
        count=count,
        key=owner.public,
        issued_at=NOW,
        spend_by=NOW + 100,
        claim_by=NOW + 200,
        payment_max=2**40,
        cover=0,
        tier=2,
        name_commit=None,
        audience_key=None,
    )
    return unsigned(replace(body, **changes))


def whole(parent: Signed[Any]) -> tuple[Piece, ...]:
    """Everything that a voucher or a payment brings, as pieces."""
    if isinstance(parent.body, Voucher):
        return (Piece(parent_id=parent.short_id, first=parent.body.first, count=parent.body.count),)
    return tuple(Piece(parent_id=parent.short_id, first=item.first, count=item.count) for item in parent.body.pieces)


def piece(parent: Signed[Any], first: int, count: int) -> Piece:
    """Units of a parent by their place in the voucher: 0 is its first unit."""
    return Piece(parent_id=parent.short_id, first=FIRST + first, count=count)


def pay(payee: Key, *pieces: Piece | Signed[Any], nonce: int = 0) -> Signed[Payment]:
    """A payment of some pieces, or of all that some documents bring."""
    taken = tuple(one for item in pieces for one in (whole(item) if isinstance(item, Signed) else (item,)))
    return unsigned(
        Payment(
            net=1,
            currency=EUR,
            pieces=taken,
            total=sum(item.count for item in taken),
            payee_id=payee.id,
            nonce=nonce.to_bytes(8, "big"),
            paid_at=NOW,
            memo_commit=None,
        )
    )


def accounts(keys: Iterable[Key]) -> dict[bytes, Hashable]:
    return {key.id: key.owner for key in keys if key.account is not None}


def close_input(
    on: Signed[Voucher],
    documents: Iterable[Signed[Any]],
    keys: Iterable[Key],
    *,
    refused: Iterable[Signed[Any]] = (),
    budgets: Mapping[Key, int] | None = None,
    **money: Mapping[Hashable, int],
) -> CloseInput:
    return CloseInput(
        voucher=on,
        documents=tuple(documents),
        refused=frozenset(item.id for item in refused),
        operator=frozenset({OPERATOR.id}),
        account_of=accounts(keys),
        budgets={key.id: left for key, left in (budgets or {}).items()},
        **money,
    )
