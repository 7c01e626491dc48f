"""Random worlds: some people keep a book of their units as an honest phone does, the others sign what they like."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from settlement.paper import OPERATOR, Key, accounts, pay, voucher
from tikicash.book import Claim, terms_of
from tikicash.closing import Close, CloseInput, settle
from tikicash.messages import Certificate, Piece, Signed
from tikicash.safety import promised

Unit = tuple[bytes, int]  # voucher id, number


@dataclass
class Held:
    """What a key holds of one document, unit by unit."""

    parent: Signed[Any]
    on: Signed[Any]  # the voucher
    units: list[int]
    depth: int


@dataclass
class Purse:
    """The book of an honest key: what it holds, and which payment it last handed a unit on with."""

    held: dict[Unit, Held] = field(default_factory=dict)
    handed_on: dict[Unit, Signed[Any]] = field(default_factory=dict)
    handed_back: set[Unit] = field(default_factory=set)


class RandomWorld:
    """Vouchers, payments, refusals and money, drawn from a seed."""

    def __init__(self, seed: int, *, payments: int = 30, units_max: int = 12) -> None:
        self.random = Random(seed)
        draw = self.random
        names = "abcdefgh"[: draw.randint(4, 8)]
        self.keys = tuple(Key(name, draw.choice([name, name, names[0], "z", None])) for name in names)
        crooked = {key.owner for key in draw.sample(self.keys, draw.randint(1, 3))}
        self.honest = tuple(key for key in self.keys if key.owner not in crooked)
        self.purses = {key: Purse() for key in self.keys}
        self.documents: list[Signed[Any]] = []
        self.ways: dict[tuple[bytes, Unit], tuple[bytes, ...]] = {}  # ids of the payments of a unit, this one last
        self.refused: list[Signed[Any]] = []
        self.budgets = {key: draw.randint(0, 12) for key in self.keys if key.account is not None}
        self.own = {key.owner: draw.randint(-3, 4) for key in self.keys}
        self.guarantees = {key.owner: draw.randint(0, 4) for key in self.keys}
        self.shown_at_risk: dict[Key, int] = defaultdict(int)
        owners = [key for key in self.keys if key.account is not None] or [replace(self.keys[0], account="")]
        owners += [key for key in owners if key not in self.honest] * 3
        self.vouchers = [
            voucher(
                draw.choice(owners),
                draw.randint(1, units_max),
                first=1000 * number,
                cover=draw.choice([0, 2, 5, 20]),
                claim_by=2_000_000_000 + draw.randint(0, 2),
            )
            for number in range(1, draw.randint(2, 4))
        ]
        self.offers: dict[Key, list[Held]] = defaultdict(list)  # everything a key ever had, for those who cheat
        for on in self.vouchers:
            owner = next(key for key in self.keys if key.public == on.body.key)
            first = on.body.first
            self._take(owner, Held(on, on, list(range(first, first + on.body.count)), 0))
        cheats = [key for key in self.keys if key not in self.honest]
        for nonce in range(payments):
            self._pay(draw.choice([*self.keys, *cheats, *cheats]), nonce)

    def _take(self, key: Key, held: Held) -> None:
        self.offers[key].append(held)
        for unit in held.units:
            self.purses[key].held[held.on.id, unit] = held
            self.purses[key].handed_on.pop((held.on.id, unit), None)

    def _pieces(self, payer: Key, depth_max: int) -> list[tuple[Held, int, int]]:
        """Up to three runs of units that the payer may sign (a cheat: had at any time), disjoint."""
        draw = self.random
        found: list[tuple[Held, int, int]] = []
        taken: set[Unit] = set()
        for held in draw.sample(self.offers[payer], min(len(self.offers[payer]), draw.choice([1, 1, 2, 3]))):
            start = draw.randrange(len(held.units))
            run: list[int] = []
            for unit in held.units[start : start + draw.randint(1, 8)]:
                at = (held.on.id, unit)
                mine = payer not in self.honest or self.purses[payer].held.get(at) is held
                if at in taken or not mine or (run and unit != run[-1] + 1):
                    break
                run.append(unit)
            if run and held.depth < depth_max:
                taken.update((held.on.id, unit) for unit in run)
                found.append((held, run[0], len(run)))
        return found

    def _pay(self, payer: Key, nonce: int) -> None:
        draw = self.random
        payee = draw.choice([*self.keys, OPERATOR])
        pieces = self._pieces(payer, 4 if payee is OPERATOR else 3)
        if not pieces:
            return
        taken = [Piece(parent_id=held.parent.short_id, first=first, count=count) for held, first, count in pieces]
        payment = pay(payee, *taken, nonce=nonce if draw.random() < 0.8 else 0)
        runs = [(held, range(first, first + count)) for held, first, count in pieces]
        ways = {(held.on.id, unit): self._way(held, unit) for held, run in runs for unit in run}
        if payee in self.honest and not self._accepts(payee, payment, ways):
            return  # refused by the phone before anybody relied on it; the payer may still keep the paper to himself
        if payment.id in {item.id for item in self.documents}:
            return
        self.documents.append(payment)
        for at, way in ways.items():
            self.ways[payment.id, at] = (*way, payment.id)
            self._handed_on(payer, at, payment, back=payee is OPERATOR)
        if payee is OPERATOR:
            return
        if draw.random() < 0.1:
            self.refused.append(payment)
            if payee in self.honest:
                return  # an honest refuser claims nothing of it and hands nothing of it on
        before = self._claims(payee)
        for held, run in runs:
            self._take(payee, Held(payment, held.on, list(run), held.depth + 1))
        more = self.promised(payee, self._claims(payee)) - self.promised(payee, before)
        self.shown_at_risk[payee] += payment.body.total - more

    def _way(self, held: Held, unit: int) -> tuple[bytes, ...]:
        return self.ways.get((held.parent.id, (held.on.id, unit)), ())

    def _handed_on(self, payer: Key, at: Unit, payment: Signed[Any], *, back: bool) -> None:
        purse = self.purses[payer]
        if payer in self.honest:
            held = purse.held.pop(at)
            if back and held.depth > 0:
                purse.handed_back.add(at)
        purse.handed_on[at] = payment

    def _accepts(self, payee: Key, payment: Signed[Any], ways: dict[Unit, tuple[bytes, ...]]) -> bool:
        purse = self.purses[payee]
        return not any(
            at in purse.held or (at in purse.handed_on and purse.handed_on[at].id not in way)
            for at, way in ways.items()
        ) and all(payment.body.nonce != item.body.nonce for item in self.documents if item.body.payee_id == payee.id)

    def _claims(self, key: Key) -> dict[bytes, int]:
        purse = self.purses[key]
        claims: dict[bytes, int] = defaultdict(int)
        for at, held in purse.held.items():
            claims[at[0]] += held.depth > 0
        for at in purse.handed_back:
            claims[at[0]] += 1
        return claims

    def promised(self, key: Key, claims: dict[bytes, int]) -> int:
        """What the phone of a key calls Protected on some claims."""
        certificate = Certificate(
            net=1,
            issuer=1,
            key=key.public,
            issued_at=1,
            valid_until=2,
            tier=2,
            cover_budget=self.budgets.get(key, 0),
            may_hand_on=True,
            name_commit=None,
        )
        terms = {on.id: terms_of(on) for on in self.vouchers}
        return promised((Claim(terms=terms[on], count=count) for on, count in claims.items() if count), certificate)

    def held(self, key: Key) -> dict[bytes, int]:
        """Units that an honest key was paid and did not hand on to anybody but the operator, by voucher."""
        return self._claims(key)

    def input_for(self, on: Signed[Any], **money: Any) -> CloseInput:
        return CloseInput(
            voucher=on,
            documents=(*self.vouchers, *self.documents),
            refused=frozenset(item.id for item in self.refused),
            operator=frozenset({OPERATOR.id}),
            account_of=accounts(self.keys),
            **money,
        )

    def close_all(self, order: list[Signed[Any]]) -> list[Close]:
        """Close the vouchers one after the other, budgets, own money and guarantees shrinking on the way."""
        budgets = {key.id: left for key, left in self.budgets.items()}
        own, guarantees = dict(self.own), dict(self.guarantees)
        results = []
        for on in order:
            result = settle(self.input_for(on, budgets=budgets, own=own, guarantees=guarantees))
            for key_id, share in result.shares.items():
                if share.top:
                    budgets[key_id] -= share.top
            for account, liability in result.liabilities.items():
                own[account] = own.get(account, 0) - liability.from_online
                guarantees[account] = guarantees.get(account, 0) - liability.from_guarantee
            for account, amount in result.payouts.items():
                own[account] = own.get(account, 0) + amount
            results.append(result)
        return results
