"""The operator's side, in memory: accounts, escrows, claims as they arrive, and the closes.

The judgement is tikicash's: `check_chain` for what counts, `double_spends` for who is named, `settle` for who gets
what. Here is only the ledger around it, each movement written as what leaves one place and enters another.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sim.paper import CURRENCY, HOUR, NET, Keys, Paper
from sim.people import TILL, Account, Phone
from tikicash import closing, settlement, units
from tikicash.chain import Source, Trace, is_payment, is_voucher, traces
from tikicash.closing import Close, CloseInput
from tikicash.messages import Bundle, Certificate, Payment, Revocations, Signed, Voucher, key_id
from tikicash.settlement import final_before_close
from tikicash.validity import SETTLEMENT_LIMITS, check_chain

CERTIFICATE_SECONDS: Final = 30 * 24 * HOUR
BLOCK: Final = 8192  # a voucher's units start at a multiple of it


@dataclass(slots=True)
class OpenVoucher:
    """A voucher that is not closed, its escrow, and the payments that arrived for it in time."""

    signed: Signed[Voucher]
    escrow: int
    touching: dict[bytes, Signed[Payment]] = field(default_factory=dict)  # by identity, in the order of arrival
    papers: dict[bytes, Source] = field(default_factory=dict)  # the same with everything below, by 16-byte id
    handed_on: dict[bytes, list[units.Units]] = field(default_factory=dict)  # by signer
    advanced: dict[int, int] = field(default_factory=dict)  # by account


class Operator:
    """Accounts by number, keys by id, amounts in minor units."""

    def __init__(self, paper: Paper, *, on_close: "Callable[[OpenVoucher, CloseInput, Close], None]") -> None:
        self.paper = paper
        self.ids = frozenset({paper.operator.id})
        self.online: dict[int, int] = defaultdict(int)
        self.debts: dict[int, int] = defaultdict(int)
        self.guarantees: dict[int, int] = defaultdict(int)
        self.released: dict[int, int] = defaultdict(int)  # to tills, on what is final before the close
        self.waiting = 0  # shares of keys that nobody registered
        self.withdrawn = 0
        self.paid_in = 0  # by the operator, into closes
        self.account_of: dict[bytes, int] = {}
        self.budgets: dict[bytes, int] = {}
        self.tills: set[bytes] = set()
        self.open: dict[bytes, OpenVoucher] = {}
        self.advances: dict[int, int] = defaultdict(int)  # by account, over all open vouchers
        self.named: dict[bytes, int] = {}  # key id: when
        self.named_elsewhere: set[bytes] = set()  # in other districts, as of last midnight
        self.blocked: set[int] = set()  # their accounts
        self.refused: set[bytes] = set()
        self._known: set[bytes] = set()
        self._due: list[tuple[int, bytes]] = []
        self._till_claims: dict[bytes, dict[bytes, list[units.Units]]] = defaultdict(dict)  # by till, by voucher
        self._blocks = 0
        self._on_close = on_close
        self.revocations = self._revocations(0)

    def register(self, keys: Keys, account: Account, *, budget: int) -> None:
        """Let a phone's key be paid for an account, covered up to a budget."""
        self.account_of[keys.id] = account.number
        self.budgets[keys.id] = budget
        if account.number not in self.guarantees:
            self.guarantees[account.number] = account.tier.guarantee
        if account.tier is TILL:
            self.tills.add(keys.id)

    def certify(self, phone: Phone, now: int) -> Signed[Certificate]:
        """Return a certificate with what is left of the key's budget. Every due close has run: see World."""
        tier = phone.account.tier
        body = Certificate(
            net=NET,
            issuer=1,
            key=phone.keys.public,
            issued_at=now,
            valid_until=now + CERTIFICATE_SECONDS,
            tier=tier.number,
            cover_budget=max(0, self.budgets[phone.keys.id]),
            may_hand_on=tier.may_hand_on,
            name_commit=None,
        )
        return self.paper.sign(body, self.paper.operator)

    def load(self, phone: Phone, now: int, *, audience_key: bytes | None = None) -> Signed[Voucher] | None:
        """Return a fresh voucher, its money moved from online to escrow, or None if the account may not have one."""
        account = phone.account
        tier = account.tier
        if (
            account.number in self.blocked
            or not tier.voucher
            or self.online[account.number] < tier.voucher
            or self.debts[account.number]
        ):
            return None
        self._blocks += 1
        body = Voucher(
            net=NET,
            issuer=1,
            currency=CURRENCY,
            first=self._blocks * BLOCK,
            count=tier.voucher,
            key=phone.keys.public,
            issued_at=now,
            spend_by=now + tier.spend_seconds,
            # On the hour, when the closes run: nothing is certified between a deadline and its close.
            claim_by=(now + tier.claim_seconds) // HOUR * HOUR,
            payment_max=tier.payment_max,
            cover=tier.cover if audience_key is None else 0,  # locked units are final without a promise
            tier=tier.number,
            name_commit=None,
            audience_key=audience_key,
        )
        voucher = self.paper.sign(body, self.paper.operator)
        self.online[account.number] -= tier.voucher
        self.open[voucher.id] = OpenVoucher(voucher, escrow=tier.voucher)
        heapq.heappush(self._due, (body.claim_by, voucher.id))
        return voucher

    def bring(self, bundle: Bundle, now: int) -> None:
        """Append what a bundle brings, whoever brings it and whenever. Raises Rejected for what is not valid."""
        if bundle.documents[-1].id in self._known:
            return
        chain = check_chain(
            bundle,
            net=NET,
            issuer_keys=self.paper.issuer_keys,
            limits=SETTLEMENT_LIMITS,
            verify=self.paper.verify,
        )
        for payment in chain.payments:
            if payment.id in self._known:
                continue
            self._known.add(payment.id)
            for way in traces(payment, chain.sources):
                at = self.open.get(way.voucher.id)
                if at is not None and now <= at.signed.body.claim_by:
                    at.touching[payment.id] = payment
                    at.papers.update(chain.sources)
                    self._look(at, way, payment, now)

    def _look(self, at: OpenVoucher, way: Trace, payment: Signed[Payment], now: int) -> None:
        """Note what a till may get before the close, and look for double spends where a signer repeats units."""
        payee, signer = payment.body.payee_id, way.lineage[-2]
        if payee in self.ids:
            return
        owners = [self.account_of.get(key) for key in way.lineage]
        if payee in self.tills and owners[-1] not in owners[:-1]:
            self._till_claims[payee].setdefault(at.signed.id, []).append(way.units)
        before = at.handed_on.setdefault(signer, [])
        if any(units.overlap(way.units, other) for other in before):
            for spend in settlement.double_spends(at.papers.values(), operator=self.ids):
                self.named.setdefault(spend.key_id, now)
                self.blocked.add(self.account_of[spend.key_id])
        before.append(way.units)

    def refuse(self, bundle: Bundle, now: int) -> None:
        """Take a payee's refusal, if it is in time for every voucher of the payment."""
        payment = bundle.documents[-1]
        assert is_payment(payment)
        sources = {item.short_id: item for item in sources_of(bundle)}
        vouchers = (self.open.get(way.voucher.id) for way in traces(payment, sources))
        if all(at is not None and now <= at.signed.body.claim_by for at in vouchers):
            self.refused.add(payment.id)

    def release(self, phone: Phone, bundle: Bundle) -> int:
        """Advance a hand-back out of its vouchers' escrows, up to what is left of L. An unpaid debt uses L up too."""
        payment = bundle.documents[-1]
        assert is_payment(payment)
        number = phone.account.number
        released = 0
        for way in traces(payment, {item.short_id: item for item in sources_of(bundle)}):
            at = self.open.get(way.voucher.id)
            if at is None:
                continue
            amount = min(way.units[1], release_left(self, phone.account), at.escrow)
            at.advanced[number] = at.advanced.get(number, 0) + amount
            self.advances[number] += amount
            at.escrow -= amount
            self.online[number] += amount
            released += amount
        return released

    def release_final(self, account: Account) -> None:
        """Advance to a business what is final at its tills before the vouchers close; it is set off when they do."""
        final = 0
        for till in account.phones:
            claims, locked = [], 0
            for voucher, ranges in self._till_claims[till.keys.id].items():
                body, claimed = self.open[voucher].signed.body, units.total(ranges)
                if body.audience_key is None:
                    claims.append((body.cover, claimed))
                else:
                    locked += claimed
            final += final_before_close(budget=self.budgets[till.keys.id], claims=claims, locked=locked)
        more = max(0, final - self.released[account.number])
        self.released[account.number] += more
        self.online[account.number] += more

    def close_due(self, now: int) -> None:
        """Close every voucher whose last date has passed, in the order (claim_by, id)."""
        while self._due and self._due[0][0] <= now:
            _, voucher_id = heapq.heappop(self._due)
            self._close(self.open[voucher_id])
            del self.open[voucher_id]

    def _close(self, at: OpenVoucher) -> None:
        keys = dict.fromkeys(item.body.payee_id for item in at.touching.values())
        keys[key_id(at.signed.body.key)] = None
        accounts = dict.fromkeys(self.account_of[key] for key in keys if key in self.account_of)
        given = CloseInput(
            voucher=at.signed,
            documents=tuple(at.papers.values()),
            refused=frozenset(payment for payment in at.touching if payment in self.refused),
            operator=self.ids,
            account_of=self.account_of,
            budgets={key: self.budgets.get(key, 0) for key in keys},
            own={
                number: self.online[number] - self.advances[number] - self.released[number] - self.debts[number]
                for number in accounts
            },
            guarantees={number: self.guarantees[number] for number in accounts},
            advanced=dict(at.advanced),
        )
        result = closing.settle(given)
        for number, amount in at.advanced.items():
            self.advances[number] -= amount
        for key in keys:
            if key in self.tills:
                self._till_claims[key].pop(at.signed.id, None)
        self._post(at, result)
        self._on_close(at, given, result)

    def _post(self, at: OpenVoucher, result: Close) -> None:
        """Move the money of a close; the caller finds the escrow empty."""
        for number, liability in result.liabilities.items():
            assert isinstance(number, int)
            self.online[number] -= liability.from_online
            at.escrow += liability.from_online
            self.guarantees[number] -= liability.from_guarantee
        self.paid_in += result.from_operator
        at.escrow += result.from_operator
        for key, share in result.shares.items():
            if share.top:
                self.budgets[key] = self.budgets.get(key, 0) - share.top
        for owner, amount in result.payouts.items():
            at.escrow -= amount
            if not isinstance(owner, int):
                self.waiting += amount
                continue
            set_off = min(amount, self.released[owner])
            self.released[owner] -= set_off
            self.online[owner] += amount - set_off
        for number, amount in result.debts.items():
            assert isinstance(number, int)
            self.debts[number] += amount

    def withdraw(self, number: int) -> None:
        """Let an account take all its online money out of the wallet."""
        amount = max(0, self.online[number])
        self.online[number] -= amount
        self.withdrawn += amount

    def collect_debts(self) -> None:
        """Take what people owe out of their online money, which pays the operator back."""
        for number in [number for number, owed in self.debts.items() if owed and self.online[number] > 0]:
            amount = min(self.debts[number], self.online[number])
            self.debts[number] -= amount
            self.online[number] -= amount
            self.paid_in -= amount

    def publish(self, now: int) -> None:
        """Sign a new list of blocked phones if somebody was named since the last one."""
        if len(self.named) + len(self.named_elsewhere) != len(self.revocations.entries):
            self.revocations = self._revocations(now)

    def _revocations(self, now: int) -> Revocations:
        entries = tuple(sorted({key[:8] for key in (*self.named, *self.named_elsewhere)}))
        return Revocations(net=NET, issuer=1, epoch=len(entries), now=max(now, 1), entries=entries)

    def total(self) -> int:
        """Return all money: online, in escrow and waiting, less what the operator put in and what tills got early."""
        in_escrow = sum(at.escrow for at in self.open.values())
        return (
            sum(self.online.values())
            + in_escrow
            + self.waiting
            + self.withdrawn
            - self.paid_in
            - sum(self.released.values())
        )


def sources_of(bundle: Bundle) -> tuple[Source, ...]:
    """Return the vouchers and payments of a bundle."""
    return tuple(item for item in bundle.documents if is_voucher(item) or is_payment(item))


def release_left(operator: Operator, account: Account) -> int:
    """Return how much may still be released early to an account, in minor units: L less advances and debts."""
    used = operator.advances[account.number] + operator.debts[account.number]
    return max(0, account.tier.release - used)
