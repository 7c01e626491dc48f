"""The audit log: who did what to whom, from where and when, so that nobody can change it unnoticed.

An entry is written in the transaction of the act itself: there is no act without its entry and no entry without its
act. Each holds the SHA-256 of the one before it and of its own content, so that an entry that was changed, removed,
put in or moved breaks the chain; and whoever cuts the end off, or makes the whole chain anew, is found by a head (the
number and hash of the last entry) that an operator kept elsewhere. The database numbers and chains the entries by a
trigger and refuses every change of them; the code here works the hashes out once more on its own.

Contexts share no table, so each that has audited acts has an `audit_entry` and an `audit_head`, and the queries
for them (`AuditQueries`).

No name, phone number or secret belongs into an entry: people are ids, and words that somebody typed are cleaned like
a line of the log.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.telemetry import REDACTED, SECRET_TEXT

PAGE_SIZE: Final = 1000
ACTOR_LENGTH_MAX: Final = 80
ADDRESS_LENGTH_MAX: Final = 64
LABEL_LENGTH_MAX: Final = 40
DETAIL_LENGTH_MAX: Final = 300
FAULTS_SHOWN_MAX: Final = 20


class By(NamedTuple):
    """Who does something, and from where."""

    actor: str
    address: str = ""  # of the network; "" where there is none: a command, a job
    session_id: UUID | None = None
    label: str = ""  # the browser and system in short, as the list of sessions shows it

    @classmethod
    def person(cls, person_id: UUID, *, address: str = "", session_id: UUID | None = None, label: str = "") -> "By":
        """Somebody with a wallet, signed in or signing in."""
        return cls(f"person:{person_id}", address, session_id, label)

    @classmethod
    def operator(cls, name: str, *, address: str = "", session_id: UUID | None = None, label: str = "") -> "By":
        """An operator: by the name that a command was given, or one who is signed in."""
        return cls(f"operator:{_clean(name)[:ACTOR_LENGTH_MAX]}", address, session_id, label)

    @classmethod
    def nobody(cls, *, address: str, label: str = "") -> "By":
        """Somebody who hasn't shown who he is."""
        return cls("nobody", address, None, label)


SYSTEM: Final = By("system")  # a job of ours


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it stands in the log; `detail` is the text of a JSON object."""

    entry_no: int
    at: datetime
    act: str
    actor: str
    subject: UUID | None
    address: str
    session_id: UUID | None
    label: str
    detail: str
    previous_hash: bytes
    entry_hash: bytes


class Head(NamedTuple):
    """The end of a chain: how many entries there are and the hash of the last. Worth keeping elsewhere."""

    entry_count: int
    head_hash: bytes

    def __str__(self) -> str:
        return f"{self.entry_count}:{self.head_hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Return the head that `str` wrote. Raises `ValueError`."""
        count, _, digest = text.partition(":")
        head_hash = bytes.fromhex(digest)
        if not count.isdecimal() or len(head_hash) != hashlib.sha256().digest_size:
            raise ValueError(text)
        return cls(int(count), head_hash)


class Fault(StrEnum):
    """What is wrong with an entry or with the end of a chain."""

    CHANGED = "changed"  # its content isn't what was hashed
    UNCHAINED = "unchained"  # it doesn't follow the one before it: moved, put in, or that one was changed
    MISSING = "missing"  # one or more before it are gone
    CUT_OFF = "cut_off"  # the end isn't where the head says
    NOT_THE_KEPT_ONE = "not_the_kept_one"  # the head that was kept elsewhere isn't in this chain


class Verification(NamedTuple):
    """What reading a whole chain found: the first faults with the number of their entry, and the head."""

    faults: list[tuple[int, Fault]]
    head: Head


def first_hash(context: str) -> bytes:
    """Return what the first entry of a context follows: another for each, so that none passes for another's."""
    return hashlib.sha256(f"tikiwallet audit {context}".encode()).digest()


def hash_of(entry: Entry) -> bytes:
    """Return the hash of an entry. The database works out the same in `chain_audit_entry`."""
    fields = (
        str(entry.entry_no), entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), entry.act, entry.actor,
        str(entry.subject or ""), entry.address, str(entry.session_id or ""), entry.label, entry.detail,
    )  # fmt: skip
    # Each with its length before it, so that no two lists of fields read the same.
    text = ",".join(f"{len(field.encode())}:{field}" for field in fields)
    return hashlib.sha256(entry.previous_hash + text.encode()).digest()


class AuditQueries(NamedTuple):
    """The SQL of one context's audit log."""

    insert_entry: str
    entries_after: str
    entries_about: str
    head: str


class Audit:
    """The audit log of one context; `queries` are the context's own."""

    def __init__(self, context: str, queries: AuditQueries) -> None:
        self._context = context
        self._queries = queries

    async def record(
        self, tx: Connection, act: str, *, by: By, about: UUID | None, now: datetime, **detail: str | int
    ) -> None:
        """Write down that `by` did `act` to the person `about` (None: nobody known), with a few words of `detail`.

        The last statement of its transaction: from here to the commit everybody else who has something to write down
        waits. Words in `detail` that look like a phone number or a secret are replaced.
        """
        await tx.execute(
            self._queries.insert_entry, now, act, by.actor, about, by.address[:ADDRESS_LENGTH_MAX],
            by.session_id, by.label[:LABEL_LENGTH_MAX], _detail(detail),
        )  # fmt: skip

    async def entries(
        self, db: Database, *, about: UUID | None = None, after: int = 0, limit: int = PAGE_SIZE
    ) -> list[Entry]:
        """Return the entries after number `after` in their order, those about one person if `about` is given."""
        if about is None:
            rows = await db.pool.fetch(self._queries.entries_after, after, limit)
        else:
            rows = await db.pool.fetch(self._queries.entries_about, about, after, limit)
        return [Entry(**dict(row)) for row in rows]

    async def verify(self, db: Database, *, kept: Head | None = None) -> Verification:
        """Read the whole chain and return what is wrong with it; `kept` is a head that was printed earlier."""
        row = await db.pool.fetchrow(self._queries.head)
        head = Head(row["entry_count"], row["head_hash"])  # what is added from now on is the next reading's
        last, previous_hash = 0, first_hash(self._context)
        faults: list[tuple[int, Fault]] = []
        is_kept = kept is None or (kept == Head(0, previous_hash))
        while last < head.entry_count and (page := await self.entries(db, after=last)):
            for entry in page:
                if entry.entry_no > head.entry_count:
                    break
                if entry.entry_no != last + 1:
                    faults.append((entry.entry_no, Fault.MISSING))
                elif entry.previous_hash != previous_hash:
                    faults.append((entry.entry_no, Fault.UNCHAINED))
                if hash_of(entry) != entry.entry_hash:
                    faults.append((entry.entry_no, Fault.CHANGED))
                is_kept = is_kept or kept == Head(entry.entry_no, entry.entry_hash)
                last, previous_hash = entry.entry_no, entry.entry_hash
            else:
                continue
            break
        if (last, previous_hash) != head:
            faults.append((head.entry_count, Fault.CUT_OFF))
        if kept is not None and not is_kept:
            faults.append((kept.entry_count, Fault.NOT_THE_KEPT_ONE))
        return Verification(faults[:FAULTS_SHOWN_MAX], head)


def _detail(detail: Mapping[str, str | int]) -> str:
    cleaned = {
        name: _clean(value)[:DETAIL_LENGTH_MAX] if isinstance(value, str) else value for name, value in detail.items()
    }
    return msgspec.json.encode(cleaned, order="sorted").decode()


def _clean(text: str) -> str:
    return SECRET_TEXT.sub(REDACTED, text.replace("\0", ""))
