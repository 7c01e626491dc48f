"""The market of a village: two phones meet, one pays the other, and now and then something goes wrong in between."""

from typing import TYPE_CHECKING

from sim import wallet
from sim.cheats import Spree, overlapping, shadow_of
from sim.operator import sources_of
from sim.paper import DAY, HOUR, START, twin
from sim.people import Phone
from sim.places import moment
from sim.sync import hand_back, size_of
from tikicash.book import Holding
from tikicash.chain import is_voucher, owner_id
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Piece, Request

if TYPE_CHECKING:
    from sim.world import World

SMALLEST = 40  # minor units
VICTIMS_AT_ONCE = 3
SPREE_SECONDS = 6 * DAY
STARTS = (0, 2000, 3000)  # where a cheat cuts his voucher: the same units for everybody of a round


class Market:
    """All meetings of a run."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.draw = world.draw
        self.paper = world.paper
        self.sprees: dict[int, Spree] = {}  # by account
        self.ways: dict[int, str] = {}

    def trade(self, hour: int, *, target: int) -> None:
        """Let people meet until so many payments have been made since the start, or nobody has money left."""
        stats = self.world.stats
        missing = min(target - stats["payments"], 3 * self.world.payments_an_hour)
        for _ in range(8 * missing):
            if stats["payments"] >= target:
                return
            village = self.draw.choice(self.world.villages)
            if len(village) < 2:
                continue
            payer, payee = self.draw.sample(village, 2)
            if self.draw.random() < 0.35:
                payee = self.draw.choice(village[:12])  # where everybody buys
            if payer.account is payee.account or payer.is_till:
                continue
            now = moment(self.draw, hour, START)
            if payer.honest:
                self.buy(payer, payee, now)
            else:
                self.cheat(payer, village, now)

    def buy(self, payer: Phone, payee: Phone, now: int) -> None:
        """An honest payer buys something, or the other gives it back."""
        if payer.favourite is not None and self.draw.random() < 0.5:
            payee = payer.favourite
        holdings = wallet.can_pay_with(payer, payee.keys.id, now + payer.clock_error_seconds)
        received = tuple(item for item in holdings if item.depth > 0)
        if received and self.draw.random() < 0.4:
            holdings = received
        bundle = self._meet(payer, payee, holdings, self._price(holdings), now)
        if bundle is None:
            return
        if self.draw.random() < 0.02:
            self._give_back(payee, payer, bundle, now + 600)

    def _price(self, holdings: tuple[Holding, ...]) -> int:
        most = min(sum(item.count for item in holdings), *(item.terms.payment_max for item in holdings), 10**6)
        return min(most, self.draw.randint(SMALLEST, 900))

    def _give_back(self, payee: Phone, payer: Phone, bundle: Bundle, now: int) -> None:
        """The goods are returned, and the same units with them."""
        payment = wallet.payment_of(bundle)
        holdings = wallet.can_pay_with(payee, payer.keys.id, now + payee.clock_error_seconds)
        same = tuple(item for item in holdings if item.parent_id == payment.short_id)
        if payment.body.total == sum(item.count for item in same):
            self._meet(payee, payer, same, payment.body.total, now)
            self.world.stats["refunds"] += 1

    def _meet(self, payer: Phone, payee: Phone, holdings: tuple[Holding, ...], amount: int, now: int) -> Bundle | None:
        """One payment of an honest payer, with what can go wrong. Returns the bundle that the payee took."""
        if amount < SMALLEST or not holdings:
            return None
        request = wallet.ask(payee, amount, self.draw.randbytes(8), now)
        bundle = wallet.prepare(payer, holdings, request, start=self.draw.randrange(2**20), now=now, paper=self.paper)
        if bundle is None:
            return None
        fate = self.draw.random()
        shown = wallet.reserve_and_show(payer, bundle, paper=self.paper, crashes=fate < 0.012)
        if shown is None or 0.012 <= fate < 0.020:
            self.world.stats["torn"] += 1
            if fate % 0.002 < 0.001:
                payer.outbox.append(bundle)  # "I do not know whether it was taken": the payer brings it himself
            return None
        if 0.020 <= fate < 0.026:
            payee.refusals.append(shown)
            self.world.stats["refused"] += 1
            return None
        if not self.offer(payee, shown, request, now):
            return None
        if 0.026 <= fate < 0.046:
            self._show_again(payee, shown, request, now + 60)
        payer.outbox.append(shown)
        return shown

    def offer(self, payee: Phone, bundle: Bundle, request: Request, now: int) -> bool:
        """Show a payment to its payee; tell whether he took it."""
        stats = self.world.stats
        try:
            acceptance = wallet.receive(payee, bundle, request, now=now, paper=self.paper)
        except Rejected as refusal:
            stats[f"rejected {refusal.code}"] += 1
            if payee.honest and refusal.code in {"already_held", "spent_twice"} and self._all_honest(bundle):
                self.world.audit.accusations += 1
            return False
        self.world.audit.take(payee, acceptance, now)
        stats["payments"] += 1
        stats[f"depth {acceptance.chain.depth}"] += 1
        stats["bundle bytes"] += size_of(bundle)
        if self.draw.random() < 0.05:
            payee.backup = tuple(payee.outbox)
        return True

    def _all_honest(self, bundle: Bundle) -> bool:
        """Tell whether nobody in a chain cheats: only then would it be wrong to see a double spend in it."""
        keys = [owner_id(item) for item in sources_of(bundle)][:-1]
        account_of = self.world.operator.account_of
        return all(self.world.accounts[account_of[key]].honest for key in keys if key in account_of)

    def _show_again(self, payee: Phone, bundle: Bundle, request: Request, now: int) -> None:
        """The receipt did not come through, so the code is shown again, or a copy that somebody signed over."""
        if self.draw.random() < 0.5:
            documents = (*bundle.documents[:-1], twin(wallet.payment_of(bundle)))
            bundle = self.paper.bundle(documents, bundle.certificates)
        self.world.stats["shown_again"] += 1
        try:
            wallet.receive(payee, bundle, request, now=now, paper=self.paper)
        except Rejected as refusal:
            if refusal.code != "payment_already_accepted":
                self.world.audit.accusations += 1

    def cheat(self, payer: Phone, village: list[Phone], now: int) -> None:
        """A cheat starts a spree, goes on with it, or waits as an honest man would."""
        spree = self.sprees.get(payer.account.number)
        if spree is not None and now < spree.last_at + HOUR:
            return
        if spree is not None and now > spree.since + SPREE_SECONDS and spree.way != "dead_money":
            del self.sprees[payer.account.number]
            return
        if spree is None:
            if payer.account.number in self.world.operator.blocked or self.draw.random() > 0.5:
                return
            spree = self._start(payer, village, now)
        if spree is None or (spree.shadow.keys.id != payer.keys.id):
            return
        victims = [item for item in village if item.honest]
        if not victims:
            return
        chosen = self.draw.sample(victims, min(VICTIMS_AT_ONCE, len(victims)))
        spree.last_at = now
        spree.rounds += not spree.quiet and self.draw.random() < 0.3
        for victim in spree.victims or chosen:
            self._defraud(spree, victim, now)

    def _start(self, payer: Phone, village: list[Phone], now: int) -> Spree | None:
        way = self.world.forum.best(self.draw, self.world.settings.only_way)
        partners = [item for item in village if not item.honest and item.account is not payer.account]
        partner = self.draw.choice(partners) if partners else None
        spree = Spree(way, shadow_of(payer), now, partner, quiet=self.draw.random() < 0.4)
        if not spree.usable(payer.book.holdings):
            spree.way = way = "many_victims"
        if not spree.usable(payer.book.holdings):
            return None
        self.sprees[payer.account.number] = spree
        self.ways[payer.account.number] = way
        self.world.forum.tries[way] += 1
        self.world.stats["sprees"] += 1
        self.world.operator.withdraw(payer.account.number)  # what is gone cannot make good
        self._open(spree, payer, village, now)
        return spree

    def _open(self, spree: Spree, payer: Phone, village: list[Phone], now: int) -> None:
        """What a way of cheating begins with, before any shop is paid."""
        way, honest = spree.way, [item for item in village if item.honest]
        if way == "first_to_sync" and spree.partner is not None:
            self._sign_all(spree, spree.partner.keys.id, now)
        if way == "self_laundering":
            for other in payer.account.phones:
                if other is not payer:
                    self._sign_all(spree, other.keys.id, now)
            if spree.quiet:
                spree.victims = tuple(self.draw.sample(honest, min(1, len(honest))))
            else:
                self._sign_all(spree, self.paper.keys().id, now)
        if way == "hand_back_pump":
            self._pump(spree, payer, now)
        if way == "two_phones":
            several = [item for item in honest if len(item.account.phones) > 1]
            both = self.draw.choice(several).account.phones if several else []
            for victim in both:
                self._defraud(spree, victim, now)
            if spree.quiet:
                spree.victims = tuple(both)
        if way == "tainted_relay" and spree.partner is not None:
            self._relay(spree, spree.partner, now)

    def _sign_all(self, spree: Spree, payee_id: bytes, now: int) -> None:
        """Sign everything at once to an accomplice, who brings it before any victim can."""
        usable = spree.usable(spree.shadow.book.holdings)[:8]
        pieces = tuple(Piece(parent_id=item.parent_id, first=item.first, count=item.count) for item in usable)
        nonce = self.draw.randbytes(8)
        bundle = wallet.write(spree.shadow, pieces, payee_id=payee_id, nonce=nonce, paid_at=now, paper=self.paper)
        self._note(spree, bundle)
        self._bring(bundle, now)

    def _bring(self, bundle: Bundle, now: int) -> None:
        try:
            self.world.operator.bring(bundle, now)
        except Rejected as refusal:
            self.world.stats[f"claim rejected {refusal.code}"] += 1

    def _pump(self, spree: Spree, payer: Phone, now: int) -> None:
        """Hand everything back, again and again, to be given it early; and spend it all the same."""
        for _ in range(3):
            usable = spree.usable(spree.shadow.book.holdings)[:8]
            bundle = hand_back(spree.shadow, usable, now=now, draw=self.draw, paper=self.paper)
            today = self.world.days[min((now - START) // DAY, len(self.world.days) - 1)]
            self.world.syncs.take_back(payer, bundle, now, today)

    def _relay(self, spree: Spree, partner: Phone, now: int) -> None:
        """Pay an accomplice with what the victims get too; he signs it on to more of them."""
        if not self._defraud(spree, partner, now):
            return
        relay = Spree("rollback", shadow_of(partner), now, None, quiet=False)
        if partner.account.number not in self.sprees and relay.usable(partner.book.holdings):
            self.sprees[partner.account.number] = relay
            self.ways[partner.account.number] = "tainted_relay"

    def _defraud(self, spree: Spree, victim: Phone, now: int) -> bool:
        """Pay a victim with units that were signed away before; tell whether he took them."""
        pays_at = now
        holdings = spree.usable(spree.shadow.book.holdings)
        if spree.way == "dead_money":
            if now <= max(item.terms.claim_by for item in holdings):
                return False
            pays_at = min(item.spend_by for item in holdings) - HOUR
        usable = set(wallet.can_pay_with(spree.shadow, victim.keys.id, pays_at))
        holdings = tuple(item for item in holdings if item in usable)
        if not holdings:
            return False
        amount = min(sum(item.count for item in holdings), *(item.terms.payment_max for item in holdings), 2000)
        request = wallet.ask(victim, amount, self.draw.randbytes(8), now)
        bundle = wallet.prepare(
            spree.shadow, holdings, request, start=STARTS[spree.rounds % 3], now=pays_at, paper=self.paper
        )
        if bundle is None:
            return False
        self._note(spree, bundle)
        taken = self.offer(victim, bundle, request, now)
        if taken and victim.honest:
            self.world.forum.gains[spree.way] += amount
            self.world.stats[f"goods by {spree.way}"] += amount
        return taken

    def _note(self, spree: Spree, bundle: Bundle) -> None:
        """Tell the audit what the operator has to find out."""
        payment = wallet.payment_of(bundle)
        vouchers = {item.short_id: item for item in bundle.documents if is_voucher(item)}
        for other in spree.forks_of(payment):
            for voucher in vouchers.values():
                first, count = voucher.body.first, voucher.body.count
                touched = [item for item in payment.body.pieces if first <= item.first < first + count]
                if any(overlapping(item, two) for item in touched for two in other.body.pieces):
                    self.world.audit.fork(voucher.id, spree.shadow.keys.id, payment, other)
        spree.signed.append(payment)
