"""One district: thirty days of people who meet, pay, travel, lose their phones and go online when they can."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from sim import wallet
from sim.cheats import Forum
from sim.operator import OpenVoucher, Operator
from sim.paper import HOUR, START, Paper
from sim.people import BONDED, IDENTIFIED, PHONE_ONLY, TILL, Account, Phone, Tier
from sim.places import hours_online, moment
from sim.promises import Audit
from sim.sync import Syncs
from sim.village import Market
from tikicash.closing import Close, CloseInput
from tikicash.messages import Bundle

TIERS: tuple[tuple[float, Tier], ...] = ((0.12, TILL), (0.15, PHONE_ONLY), (0.08, BONDED), (1.0, IDENTIFIED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How large a run is, or one district of it."""

    seed: int = 1
    district: int = 0
    phones: int = 10_000
    payments: int = 300_000
    days: int = 30
    real_signatures: bool = False
    cheats_in_a_thousand: int = 50
    phones_per_village: int = 100
    only_way: str | None = None  # of cheating


@dataclass(slots=True)
class Day:
    """What the charts show of one day."""

    payments: int = 0
    syncs: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    operator_loss: int = 0
    bound: int = 0

    def plus(self, other: "Day") -> "Day":
        """Return the same day of two districts together."""
        return Day(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a district tells all others at midnight, everything since the start."""

    district: int
    named: tuple[bytes, ...]  # key ids that are blocked
    gains: dict[str, int]  # of its cheats, by way
    tries: dict[str, int]


class World:
    """Everybody and everything, made from the settings; `run` lets the days pass."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # A repeatable world is the point; no secret depends on it.
        self.draw = Random(f"world {settings.seed}/{settings.district}")  # noqa: S311
        self.paper = Paper(f"{settings.seed}/{settings.district}", real=settings.real_signatures)
        self.accounts: list[Account] = []
        self.audit = Audit(self.accounts)
        self.operator = Operator(self.paper, on_close=self._closed)
        self.hours = settings.days * 24
        self.payments_an_hour = -(-settings.payments // self.hours)
        villages = max(1, settings.phones // settings.phones_per_village)
        self.online = [hours_online(self.draw, self.hours) for _ in range(villages)]
        self.villages: list[list[Phone]] = [[] for _ in range(villages)]
        self.forum = Forum()
        self.stats: Counter[str] = Counter()
        self.days = [Day() for _ in range(settings.days)]
        self.syncs = Syncs(self.operator, self.paper, self.audit, self.draw, self.stats)
        self.market = Market(self)
        self.travelling: list[tuple[int, tuple[Bundle, ...]]] = []
        self._populate()
        self.money_at_start = self.operator.total()
        self.losses: list[int] = []  # what the operator had paid, by hour

    def _populate(self) -> None:
        while sum(len(village) for village in self.villages) < self.settings.phones:
            point = self.draw.random()
            tier = next(tier for share, tier in TIERS if point < share or share == 1.0)
            cheat = tier is not TILL and self.draw.randrange(1000) < self.settings.cheats_in_a_thousand * 1.2
            account = Account(len(self.accounts), tier, honest=not cheat)
            self.accounts.append(account)
            self.operator.online[account.number] = 0 if tier is TILL else self.draw.randint(3000, 20_000)
            several = self.draw.choice((1, 2, 3)) if tier is TILL else 1 + (cheat or self.draw.random() < 0.05)
            village = self.draw.randrange(len(self.villages))
            for _ in range(several):
                self.new_phone(account, village, budget=budget_of(tier, several))

    def new_phone(self, account: Account, village: int, *, budget: int) -> Phone:
        """Give an account one more phone, registered with the operator, certified and loaded."""
        clock_error_seconds = self.draw.randint(-600, 600)
        phone = Phone(account, village, self.paper.keys(), clock_error_seconds)
        account.phones.append(phone)
        self.villages[village].append(phone)
        self.operator.register(phone.keys, account, budget=budget)
        self.audit.granted[phone.keys.id] += budget
        phone.certificate = self.operator.certify(phone, START)
        phone.newest_signed_time = START
        phone.revocations = self.operator.revocations
        voucher = self.operator.load(phone, START + self.draw.randrange(HOUR))
        if voucher is not None:
            wallet.take_voucher(phone, voucher, paper=self.paper)
        return phone

    def _closed(self, at: OpenVoucher, given: CloseInput, result: Close) -> None:
        self.audit.close(self.operator, at, given, result)
        for number, liability in result.liabilities.items():
            way = self.market.ways.get(number)
            if way is not None:
                self.forum.gains[way] -= liability.from_shares + liability.from_online

    def run(self) -> None:
        """Let all days pass, and close every voucher."""
        for day in range(self.settings.days):
            self.live(day)
        self.finish()

    def live(self, day: int) -> None:
        """Let one day pass."""
        today = self.days[day]
        for hour in range(day * 24, day * 24 + 24):
            now = START + hour * HOUR
            self._close_due(now)
            self.operator.collect_debts()
            self.operator.publish(now)
            paid = self.stats["payments"]
            self.market.trade(hour, target=round(self.settings.payments * (hour + 1) / self.hours))
            today.payments += self.stats["payments"] - paid
            self._mishaps()
            self._couriers(hour)
            for place, village in enumerate(self.villages):
                if hour in self.online[place]:
                    self.syncs.village(village, hour, today)
        today.operator_loss = self.operator.paid_in
        today.bound = self.audit.bound(self.operator)

    def finish(self) -> None:
        """Wait until the last voucher is closed."""
        for hour in range(self.hours, self.hours + 15 * 24):
            self._close_due(START + hour * HOUR)

    def _close_due(self, now: int) -> None:
        self.operator.close_due(now)
        self.losses.append(self.operator.paid_in)

    def news(self) -> News:
        """Return what this district has to tell the others."""
        return News(
            district=self.settings.district,
            named=tuple(self.operator.named),
            gains=dict(self.forum.gains),
            tries=dict(self.forum.tries),
        )

    def hear(self, told: Iterable[News]) -> None:
        """Take in what the other districts tell."""
        others = [news for news in told if news.district != self.settings.district]
        self.operator.named_elsewhere = {key for news in others for key in news.named}
        self.forum.hear([(news.gains, news.tries) for news in others])

    def _mishaps(self) -> None:
        """Some phones are lost; some are restored from an old copy, and retire their key because of it."""
        per_hour = self.settings.phones * 0.05 / (30 * 24)
        for _ in range(int(per_hour) + (self.draw.random() < per_hour % 1)):
            village = self.draw.choice(self.villages)
            if not village:
                continue
            phone = self.draw.choice(village)
            if not phone.honest:
                continue
            self.audit.lose(phone)
            self.stats["phones_lost"] += 1
            kept = phone.backup if phone.backup is not None and self.draw.random() < 0.5 else None
            self._replace(phone, kept)

    def _replace(self, phone: Phone, kept: tuple[Bundle, ...] | None) -> None:
        """Give a phone a new key. A restored copy shows again what it has, and hands nothing of it on."""
        phone.keys = self.paper.keys()
        # The old key's budget still stands behind what it accepted, so the new one has none for now.
        self.operator.register(phone.keys, phone.account, budget=0)
        phone.book = replace(phone.book, holdings=(), handed_on=(), accepted=())
        phone.chains = {}
        phone.outbox = [] if kept is None else list(kept)
        phone.refusals = []
        phone.certificate = None
        phone.backup = None
        self.stats["phones_restored"] += kept is not None

    def _couriers(self, hour: int) -> None:
        """Somebody who travels carries copies of codes out of a village without a network."""
        for place, village in enumerate(self.villages):
            if village and hour not in self.online[place] and self.draw.random() < 0.02:
                sample = self.draw.sample(village, min(40, len(village)))
                carried = tuple(bundle for phone in sample for bundle in phone.outbox)
                self.travelling.append((hour + self.draw.randint(2, 30), carried))
                self.stats["couriers"] += 1
        arrived = [item for item in self.travelling if item[0] <= hour]
        self.travelling = [item for item in self.travelling if item[0] > hour]
        for _, bundles in arrived:
            for bundle in bundles:
                self.operator.bring(bundle, moment(self.draw, hour, START))


def budget_of(tier: Tier, phones: int) -> int:
    """Return the cover budget of one of an account's phones: a till has its own, other phones share B."""
    return tier.cover_budget if tier is TILL else tier.cover_budget // phones
