"""What a phone and the operator do when they meet: copies up, certificate, list, voucher and time down."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Protocol

from sim import wallet
from sim.operator import Operator
from sim.paper import HOUR, START, Paper
from sim.people import TILL, TILL_RENEWAL_SECONDS, Phone
from sim.places import moment
from sim.promises import Audit
from tikicash.book import Holding, forget_closed, hand_on
from tikicash.messages import Bundle, Piece

SYNCS_PER_HOUR = 1 / 18  # of a phone that has a network
PIECES_MAX = 12


class Traffic(Protocol):
    """The counters of a day."""

    syncs: int
    bytes_up: int
    bytes_down: int


class Syncs:
    """The meetings of all phones with one operator."""

    def __init__(self, operator: Operator, paper: Paper, audit: Audit, draw: Random, stats: Counter[str]) -> None:
        self.operator = operator
        self.paper = paper
        self.audit = audit
        self.draw = draw
        self.stats = stats

    def village(self, village: Sequence[Phone], hour: int, traffic: Traffic) -> None:
        """Let some phones of a village sync within an hour in which it has a network."""
        expected = len(village) * SYNCS_PER_HOUR
        count = int(expected) + (self.draw.random() < expected % 1)
        now = START + hour * HOUR
        tills = [item for item in village if item.is_till]
        for phone in self.draw.sample(village, min(count, len(village))):
            now = max(now + 1, min(moment(self.draw, hour, START), START + (hour + 1) * HOUR - 1))
            self.sync(phone, tills, now, traffic)

    def sync(self, phone: Phone, tills: Sequence[Phone], now: int, traffic: Traffic) -> None:
        """One phone brings what it has and takes what there is for it."""
        traffic.syncs += 1
        for bundle in (*phone.outbox, *phone.refusals):
            traffic.bytes_up += size_of(bundle)
            self.operator.bring(bundle, now)
        for bundle in phone.refusals:
            self.operator.refuse(bundle, now)
        phone.outbox.clear()
        phone.refusals.clear()
        self._renew(phone, now, traffic)
        self._hand_back(phone, now, traffic)
        self._load(phone, tills, now, traffic)

    def _hand_back(self, phone: Phone, now: int, traffic: Traffic) -> None:
        """Hand back what is old or has come far; honest people also do it to get at their money early."""
        wants = self.draw.random() < 0.02
        holdings = [
            item
            for item in phone.book.holdings
            if item.owner_id == phone.keys.id
            and (wants or (item.depth > 0 and item.spend_by < now + 24 * HOUR))
            and item.terms.claim_by > now
        ][:PIECES_MAX]
        if not holdings or phone.is_till or not phone.honest:
            return
        bundle = hand_back(phone, holdings, now=now, draw=self.draw, paper=self.paper)
        phone.book = hand_on(phone.book, wallet.payment_of(bundle), operator=self.operator.ids)
        self.take_back(phone, bundle, now, traffic)

    def take_back(self, phone: Phone, bundle: Bundle, now: int, traffic: Traffic) -> None:
        """Bring a hand-back, and release what L allows."""
        traffic.bytes_up += size_of(bundle)
        self.operator.bring(bundle, now)
        self.operator.release(phone, bundle)
        self.audit.check_release(self.operator, phone.account)
        self.stats["hand_backs"] += 1

    def _renew(self, phone: Phone, now: int, traffic: Traffic) -> None:
        key, account = phone.keys.id, phone.account
        if account.tier is TILL:
            period = (now - START) // TILL_RENEWAL_SECONDS
            if phone.renewals < period:
                phone.renewals = period
                more = TILL.cover_budget - self.operator.budgets[key]
                self.operator.budgets[key] += more
                self.audit.granted[key] += more
            self.operator.release_final(account)
        old = phone.certificate
        if (
            old is None
            or old.body.cover_budget != max(0, self.operator.budgets[key])
            or old.body.issued_at < now - 12 * HOUR
        ):
            phone.certificate = self.operator.certify(phone, now)
            traffic.bytes_down += phone.certificate.size
        assert phone.certificate is not None
        # Not by the phone's clock: until a younger certificate says what is left of the budget, closed money counts.
        phone.book = forget_closed(phone.book, now=phone.certificate.body.issued_at)
        needed = {item.parent_id for item in phone.book.holdings}
        phone.chains = {parent: bundle for parent, bundle in phone.chains.items() if parent in needed}
        if phone.revocations is not self.operator.revocations:
            phone.revocations = self.operator.revocations
            traffic.bytes_down += 8 * len(phone.revocations.entries) + 90
        phone.newest_signed_time = max(phone.newest_signed_time, now)
        traffic.bytes_down += 90

    def _load(self, phone: Phone, tills: Sequence[Phone], now: int, traffic: Traffic) -> None:
        left = sum(item.count for item in phone.book.holdings if item.depth == 0 and item.spend_by > now + 24 * HOUR)
        if phone.is_till or left * 4 > phone.account.tier.voucher:
            return
        phone.favourite = self.draw.choice(tills) if tills and phone.honest and self.draw.random() < 0.05 else None
        audience_key = None if phone.favourite is None else phone.favourite.keys.public
        voucher = self.operator.load(phone, now, audience_key=audience_key)
        if voucher is not None:
            wallet.take_voucher(phone, voucher, paper=self.paper)
            traffic.bytes_down += voucher.size
            self.stats["vouchers"] += 1


def hand_back(phone: Phone, holdings: Sequence[Holding], *, now: int, draw: Random, paper: Paper) -> Bundle:
    """Return a payment of whole holdings to the operator."""
    pieces = tuple(Piece(parent_id=item.parent_id, first=item.first, count=item.count) for item in holdings)
    nonce = draw.randbytes(8)
    return wallet.write(phone, pieces, payee_id=paper.operator.id, nonce=nonce, paid_at=now, paper=paper)


def size_of(bundle: Bundle) -> int:
    """Return about how many bytes a bundle takes on the wire."""
    return sum(len(item.payload) + 69 for item in (*bundle.documents, *bundle.certificates)) + 4
