"""The book of units (tikicash.book) in the wallet's store.

The book is a pure value; each step makes a new one and this module writes it whole, inside the caller's transaction.
The table holds the rule a second time: no unit stands in it twice, whatever the code above does.
"""

import json
import sqlite3

from tikicash.book import Accepted, Ancestor, Book, HandedOn, Holding, Terms
from tikiwallet.cli.store import Store


def read_book(store: Store) -> Book:
    """Return the book as it was last written."""
    terms = {row["voucher_id"]: _terms(row) for row in store.run("terms")}
    rows = store.run("unit_ranges")
    return Book(
        holdings=tuple(_holding(row, terms[row["voucher_id"]]) for row in rows if row["held"]),
        handed_on=tuple(_handed_on(row, terms[row["voucher_id"]]) for row in rows if not row["held"]),
        accepted=tuple(
            Accepted(payment_id=row["payment_id"], claim_by=row["claim_by"]) for row in store.run("known_payments")
        ),
    )


def write_book(store: Store, book: Book) -> None:
    """Replace the book. Only inside a transaction; raises `sqlite3.IntegrityError` if a unit stands in it twice."""
    store.run("clear_unit_ranges")
    entries: tuple[Holding | HandedOn, ...] = (*book.holdings, *book.handed_on)
    for entry in entries:
        _add_terms(store, entry.terms)
        store.run("add_unit_range", **_row(entry))
    store.run("clear_known_payments")
    for item in book.accepted:
        store.run("add_known_payment", payment_id=item.payment_id, claim_by=item.claim_by)


def send_home(store: Store, *, owner_id: bytes) -> None:
    """Take what a key holds out of the book, since it will never sign again, and note by when it comes home.

    What the key handed on stays: it is evidence. Only inside a transaction.
    """
    book = read_book(store)
    kept = tuple(item for item in book.holdings if item.owner_id != owner_id)
    for item in book.holdings:
        if item.owner_id == owner_id:
            store.run(
                "add_coming_home",
                voucher_id=item.terms.voucher_id,
                first=item.first,
                amount_minor=item.count,
                claim_by=item.terms.claim_by,
            )
    write_book(store, Book(holdings=kept, handed_on=book.handed_on, accepted=book.accepted))


def _terms(row: sqlite3.Row) -> Terms:
    return Terms(
        voucher_id=row["voucher_id"],
        cover=row["cover"],
        payment_max=row["payment_max"],
        claim_by=row["claim_by"],
        audience_id=row["audience_id"],
    )


def _add_terms(store: Store, terms: Terms) -> None:
    store.run(
        "add_terms",
        voucher_id=terms.voucher_id,
        cover=terms.cover,
        payment_max=terms.payment_max,
        claim_by=terms.claim_by,
        audience_id=terms.audience_id,
    )


def _holding(row: sqlite3.Row, terms: Terms) -> Holding:
    ancestors = tuple(
        Ancestor(id=bytes.fromhex(item["id"]), size=item["size"], is_certificate=item["is_certificate"])
        for item in json.loads(row["ancestors"])
    )
    return Holding(
        owner_id=row["owner_id"],
        parent_id=row["document_id"],
        first=row["first"],
        count=row["count"],
        depth=row["depth"],
        spend_by=row["spend_by"],
        terms=terms,
        ancestors=ancestors,
    )


def _handed_on(row: sqlite3.Row, terms: Terms) -> HandedOn:
    return HandedOn(
        owner_id=row["owner_id"],
        payment_id=row["document_id"],
        first=row["first"],
        count=row["count"],
        depth=row["depth"],
        to_operator=bool(row["to_operator"]),
        terms=terms,
    )


def _row(entry: Holding | HandedOn) -> dict[str, object]:
    is_held = isinstance(entry, Holding)
    ancestors = [
        {"id": item.id.hex(), "size": item.size, "is_certificate": item.is_certificate}
        for item in (entry.ancestors if isinstance(entry, Holding) else ())
    ]
    return {
        "voucher_id": entry.terms.voucher_id,
        "first": entry.first,
        "count": entry.count,
        "held": int(is_held),
        "owner_id": entry.owner_id,
        "document_id": entry.parent_id if isinstance(entry, Holding) else entry.payment_id,
        "depth": entry.depth,
        "spend_by": entry.spend_by if isinstance(entry, Holding) else None,
        "to_operator": int(entry.to_operator) if isinstance(entry, HandedOn) else None,
        "ancestors": json.dumps(ancestors) if is_held else None,
    }
