"""What a person's money is worth now, online and offline, line by line, each with a date and a sentence.

"Where is my money?" has to have an answer at any moment between paying and the close. The answer is computed from the
same claims that the close will share out, so that it can't promise what the close won't pay.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tikicash.holders import Claim
from tikicash.settlement import final_before_close
from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.ledger.types import AccountKind, Ledger, derive_account_id
from tikiwallet.offline.at_hand import PersonHas, person_has
from tikiwallet.offline.audience import read_audiences
from tikiwallet.offline.closed_lines import read_closed_lines
from tikiwallet.offline.devices import read_devices
from tikiwallet.offline.documents import (
    DirectClaim,
    Standing,
    VoucherTerms,
    read_claims,
    read_standing,
    to_open_voucher,
)
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.money_lines import Line
from tikiwallet.offline.phone_money import PhoneMoney, phone_money
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.revocations import read_blocked
from tikiwallet.offline.types import Audience, Blocked, Device
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.money import Balance, format_decimal

LINES_MAX: Final = 500
NAMES_REMEMBERED_MAX: Final = 4096
DAYS_REMEMBERED_MAX: Final = 1024  # writing a month's name takes as long as the rest of a line


class MoneyView(msgspec.Struct, frozen=True, kw_only=True):
    """A person's money. Sums are over all lines, also those beyond `LINES_MAX` that aren't shown."""

    as_of: datetime
    online: tuple[Balance, ...]
    offline: Balance
    final: Balance
    provisional: Balance
    underway: Balance
    lines: tuple[Line, ...]


class _Sums(msgspec.Struct, kw_only=True):
    offline: int = 0
    final: int = 0
    provisional: int = 0
    underway: int = 0


class _Owned(msgspec.Struct, frozen=True, kw_only=True):
    """One claim of one of the person's phones, with its voucher and what was advanced on both."""

    device: Device
    blocked: Blocked | None
    voucher: VoucherTerms
    claim: Claim
    claimed_minor: int  # units of the voucher that this phone was paid, each once however many claims it has

    @property
    def is_locked(self) -> bool:
        """Whether nobody else may be paid with the voucher."""
        return self.voucher.audience_key_id is not None


class _Taken:
    """What was released early to each key from each voucher; every unit of it is subtracted from one line only."""

    def __init__(self, advances: list[asyncpg.Record]) -> None:
        self._left: dict[tuple[bytes, UUID], int] = {}
        for row in advances:
            key = (row["key_id"], row["voucher_id"])
            self._left[key] = self._left.get(key, 0) + row["amount_minor"]

    def take(self, item: _Owned, amount_minor: int) -> int:
        """Return how much of an amount was released early, and count it as used."""
        key = (item.device.key_id, item.voucher.voucher_id)
        taken_minor = min(self._left.get(key, 0), amount_minor)
        self._left[key] = self._left.get(key, 0) - taken_minor
        return taken_minor


class Money:
    """The money view of every person."""

    def __init__(
        self,
        db: Database,
        *,
        ledger: Ledger,
        directory: Directory,
        issuer: Issuer,
        policy: Policy,
        currencies: tuple[str, ...],
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._directory = directory
        self._issuer = issuer
        self._policy = policy
        self._currencies = currencies
        self._names: dict[PersonId, str] = {}

    async def view(self, person_id: PersonId, *, now: datetime) -> MoneyView:
        """Return the money of one person as the operator knows it at `now`."""
        async with self._db.pool.acquire() as connection:
            has = await person_has(connection, person_id)
            devices = await read_devices(connection, person_id)
            return await self.view_by(connection, person_id, devices, has=has, now=now)

    async def view_by(
        self, connection: Connection, person_id: PersonId, devices: list[Device], *, has: PersonHas, now: datetime
    ) -> MoneyView:
        """Return what `view` returns; the caller has the person's phones and what `person_has` returns."""
        lines, sums = await self._open(connection, person_id, devices, has=has, now=now)
        if has.anything_closed:
            closed = await read_closed_lines(connection, person_id, currency=self._policy.currency, now=now)
            lines += closed.lines
            sums.underway += closed.waiting_minor
        return MoneyView(
            as_of=now,
            online=await self._online(person_id),
            offline=self._balance(sums.offline),
            final=self._balance(sums.final),
            provisional=self._balance(sums.provisional),
            underway=self._balance(sums.underway),
            lines=tuple(lines[:LINES_MAX]),
        )

    async def of_phone(self, device: Device, *, now: datetime) -> PhoneMoney:
        """Return what is on one phone and what it was paid, and what whoever has it can still do with that."""
        async with self._db.pool.acquire() as connection:
            has = await person_has(connection, device.person_id)
            lines, _ = await self._open(connection, device.person_id, [device], has=has, now=now)
            blocked = await read_blocked(connection, [device.key_id])
        return phone_money(
            device, blocked.get(device.key_id), lines, currency=self._policy.currency, lines_max=LINES_MAX, now=now
        )

    async def _open(
        self, connection: Connection, person_id: PersonId, devices: list[Device], *, has: PersonHas, now: datetime
    ) -> tuple[list[Line], _Sums]:
        """Return the lines of what isn't closed yet on some phones of one person, and their sums."""
        by_key = {device.key_id: device for device in devices}
        claimed = await read_claims(connection, by_key)
        standing, advances, blocked = Standing(vouchers={}, holders={}), [], dict[bytes, Blocked]()
        if has.open_vouchers or claimed.contested:
            rows = await connection.fetch(SQL["open_vouchers_of_keys"], list(by_key), claimed.contested)
            standing = await read_standing(connection, map(to_open_voucher, rows), operator=self._issuer.operator_ids)
        if has.advances:
            found = await connection.fetch(SQL["open_advances_of_person"], person_id)
            advances = [row for row in found if row["key_id"] in by_key]
        if has.blocks:
            blocked = await read_blocked(connection, by_key)
        owned = _owned(by_key, blocked, standing, claimed.direct)
        payers = await self._payers(connection, owned)
        sums, taken = _Sums(), _Taken(advances)
        own = [item for item in owned if item.claim.payment_id is None]
        audiences = await read_audiences(connection, {item.voucher.audience_key_id for item in own})
        lines = [*self._vouchers(own, audiences, taken, sums, now=now), *self._claims(owned, taken, sums, payers)]
        lines += [self._advance(row, by_key[row["key_id"]]) for row in advances]
        return lines, sums

    async def _payers(self, connection: Connection, owned: list[_Owned]) -> dict[bytes, str]:
        """Return the usernames behind the keys that paid."""
        keys = {item.claim.payer_id for item in owned if item.claim.payer_id is not None}
        if not keys:
            return {}
        # Whoever paid from a voucher of his own is its owner; who handed on is found by the key.
        owners = {item.voucher.key_id: PersonId(item.voucher.person_id) for item in owned}
        if others := keys - owners.keys():
            rows = await connection.fetch(SQL["owners_of_keys"], list(others))
            owners.update({row["key_id"]: PersonId(row["person_id"]) for row in rows})
        names = await self._usernames({owners[key] for key in keys if key in owners})
        return {key: names[owners[key]] for key in keys if owners.get(key) in names}

    async def _usernames(self, people: set[PersonId]) -> dict[PersonId, str]:
        """Return what some people are called. A username is for ever, so that one that was asked for is remembered."""
        if len(self._names) > NAMES_REMEMBERED_MAX:
            self._names.clear()
        if unknown := people - self._names.keys():
            found = await self._directory.people(sorted(unknown))
            self._names.update({person_id: person.username for person_id, person in found.items()})
        return {person_id: self._names[person_id] for person_id in people if person_id in self._names}

    async def _online(self, person_id: PersonId) -> tuple[Balance, ...]:
        ids = {currency: derive_account_id(person_id, AccountKind.WALLET, currency) for currency in self._currencies}
        accounts = await self._ledger.accounts(list(ids.values()))
        return tuple(
            Balance(amount_minor=accounts[account_id].balance_minor if account_id in accounts else 0, currency=currency)
            for currency, account_id in ids.items()
        )

    def _vouchers(
        self, owned: list[_Owned], audiences: dict[bytes, Audience], taken: _Taken, sums: _Sums, *, now: datetime
    ) -> Iterable[Line]:
        """What the owners of vouchers never spent: offline money until its date, then money that comes home."""
        for item in owned:
            audience = audiences.get(item.voucher.audience_key_id or b"")
            whom = "somebody" if audience is None else audience.device.shown_name
            unless = f"unless it was paid to {whom} and is brought by {_day(item.voucher.claim_until)}"
            given_minor = item.claim.handed_back
            unspent_minor = item.claim.count - given_minor
            given_minor -= taken.take(item, given_minor)
            is_in_date = now <= item.voucher.spend_by
            if unspent_minor and is_in_date and item.blocked is None and (audience is None or audience.blocked is None):
                sums.offline += unspent_minor
                yield self._to_spend(item, unspent_minor, audience, unless=unless)
            elif unspent_minor:
                sums.underway += unspent_minor
                yield self._coming_home(item, unspent_minor, audience, unless=unless, is_in_date=is_in_date)
            if given_minor:
                sums.underway += given_minor
                text = f"You gave this back; it comes home on {_day(item.voucher.claim_until)}, {unless}."
                yield self._line(item, "voucher", given_minor, title="Given back", state="handed_back", sentence=text)

    def _to_spend(self, item: _Owned, amount_minor: int, audience: Audience | None, *, unless: str) -> Line:
        until, home = _day(item.voucher.spend_by), _day(item.voucher.claim_until)
        if audience is None:
            text = f"Yours to spend until {until}; the rest comes home on {home}, {unless}."
            return self._line(item, "voucher", amount_minor, title="Offline money", state="spendable", sentence=text)
        name = audience.device.shown_name
        text = f"Only for {name}'s phone, until {until}; the rest comes home on {home}, {unless}."
        return self._line(
            item, "voucher", amount_minor, title="Locked offline money", state="locked", sentence=text,
            counterparty=name,
        )  # fmt: skip

    def _coming_home(
        self, item: _Owned, amount_minor: int, audience: Audience | None, *, unless: str, is_in_date: bool
    ) -> Line:
        text = f"Comes home on {_day(item.voucher.claim_until)}, {unless}."
        if is_in_date and item.blocked is not None:  # the news of a block hasn't reached everybody
            text += f" Its phone is blocked; until {_day(item.voucher.spend_by)} not everybody may know that."
        elif is_in_date and audience is not None:
            text += f" It is locked to a phone of {audience.device.shown_name} that takes no money any more."
        return self._line(item, "voucher", amount_minor, title="Offline money", state="coming_home", sentence=text)

    def _claims(self, owned: list[_Owned], taken: _Taken, sums: _Sums, payers: dict[bytes, str]) -> Iterable[Line]:
        """What phones were paid: first the part that is final whatever happens, then the rest until the close."""
        for key in dict.fromkeys(item.device.key_id for item in owned):
            mine = [item for item in owned if item.device.key_id == key and item.claim.payment_id is not None]
            for item, promised_minor in zip(mine, _final_parts(mine), strict=True):
                # What was released early is online already, the final part of it first.
                out_minor = taken.take(item, item.claim.count)
                final_minor = max(0, promised_minor - out_minor)
                rest_minor = item.claim.count - out_minor - final_minor
                if item.claim.count == out_minor:
                    continue
                sums.final += final_minor
                sums.provisional += rest_minor
                state = "shared" if item.claim.shared else ("handed_back" if item.claim.handed_back else "waiting")
                yield self._line(
                    item, "claim", final_minor + rest_minor, title="Received", state=state,
                    sentence=self._claim_text(item, final_minor, rest_minor), final_minor=final_minor,
                    provisional_minor=rest_minor, counterparty=payers.get(item.claim.payer_id or b"", ""),
                )  # fmt: skip

    def _claim_text(self, item: _Owned, final_minor: int, rest_minor: int) -> str:
        day = _day(item.voucher.claim_until)
        parts = []
        if final_minor:
            parts.append(f"{self._text(final_minor)} is yours whatever happens and is paid on {day}.")
        if rest_minor and item.claim.shared:
            parts.append(f"The payer spent this money twice: on {day} you get your share of {self._text(rest_minor)}.")
        elif rest_minor:
            parts.append(
                f"{self._text(rest_minor)} is paid on {day} unless the same money was paid to somebody else too."
            )
        return " ".join(parts)

    def _advance(self, row: asyncpg.Record, device: Device) -> Line:
        text = f"Was released to your online balance early and is set off on {_day(row['claim_until'])}."
        zero = self._balance(0)
        return Line(
            line="advance", title="Released early", amount=self._balance(row["amount_minor"]),
            state="posted" if row["is_posted"] else "on_its_way", counterparty="", spend_by=None,
            claim_by=row["claim_until"], voucher_id=row["voucher_id"], payment_id=row["document_id"],
            final=zero, provisional=zero, sentence=text, device_id=device.device_id,
        )  # fmt: skip

    def _line(
        self, item: _Owned, line: str, amount_minor: int, *, title: str, state: str, sentence: str,
        final_minor: int = 0, provisional_minor: int = 0, counterparty: str = "",
    ) -> Line:  # fmt: skip
        return Line(
            line=line,
            title=title,
            amount=self._balance(amount_minor),
            state=state,
            counterparty=counterparty,
            # What was paid with locked money isn't handed on by anybody.
            spend_by=item.voucher.spend_by if line == "voucher" or not item.is_locked else None,
            claim_by=item.voucher.claim_until,
            voucher_id=item.voucher.voucher_id,
            payment_id=item.claim.payment_id,
            final=self._balance(final_minor),
            provisional=self._balance(provisional_minor),
            sentence=sentence,
            device_id=item.device.device_id,
        )

    def _balance(self, amount_minor: int) -> Balance:
        return Balance(amount_minor=amount_minor, currency=self._policy.currency)

    def _text(self, amount_minor: int) -> str:
        return f"{format_decimal(amount_minor, self._policy.currency)} {self._policy.currency}"


def _owned(
    devices: dict[bytes, Device], blocked: dict[bytes, Blocked], standing: Standing, direct: list[DirectClaim]
) -> list[_Owned]:
    """Return the claims of some phones on some open vouchers, those that close first coming first."""
    claimed: dict[tuple[UUID, bytes], int] = {}
    for voucher, claim in direct:
        subject = voucher.voucher_id, claim.key_id
        claimed[subject] = claimed.get(subject, 0) + claim.count
    found = [(voucher, claim, claimed[voucher.voucher_id, claim.key_id]) for voucher, claim in direct]
    for other in standing.vouchers.values():
        holders = standing.holders[other.voucher_id]
        found += [(other, claim, holders.claimed.get(claim.key_id, 0)) for claim in holders.claims]
    found.sort(key=lambda item: (item[0].claim_by, item[0].voucher_id))  # of one voucher in the order of its claims
    return [
        _Owned(
            device=devices[claim.key_id], blocked=blocked.get(claim.key_id), voucher=voucher, claim=claim,
            claimed_minor=claimed_minor,
        )
        for voucher, claim, claimed_minor in found if claim.key_id in devices
    ]  # fmt: skip


def _final_parts(mine: list[_Owned]) -> list[int]:
    """Return how much of each claim of one phone is final: what the close pays at least, spread in closing order."""
    if not mine:
        return []
    covers = {
        item.voucher.voucher_id: min(item.voucher.cover_minor, item.claimed_minor)
        for item in mine
        if not item.is_locked
    }
    left = final_before_close(
        budget=mine[0].device.budget_minor, claims=[(cover, cover) for cover in covers.values()]
    )  # fmt: skip
    parts = [0] * len(mine)
    # Units that nobody else claims come first: what they leave of the cover makes good for the shared ones.
    for at in sorted(range(len(mine)), key=lambda at: (mine[at].claim.shared > 0, at)):
        item = mine[at]
        if item.is_locked:  # all of it is final, and uses up no cover
            parts[at] = item.claim.count
            continue
        parts[at] = min(left, covers[item.voucher.voucher_id], item.claim.count)
        covers[item.voucher.voucher_id] -= parts[at]
        left -= parts[at]
    return parts


@lru_cache(maxsize=DAYS_REMEMBERED_MAX)
def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"
