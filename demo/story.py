"""What happens in the story, act by act. Every act checks what it promised and says the difference if it failed."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import segno

from demo.cheat import pay_again
from demo.machines import StoryBrokenError, Wallet, World

PHONES = {"asha": "+6591234561", "ben": "+6591234562", "chi": "+6591234563"}
CURRENCY = "SGD"
VIEW_FIELDS = ("online", "offline", "final", "provisional", "underway")


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """What is moved, in minor units."""

    topped_up: int
    loaded: int
    paid: int  # by the first to the second
    passed_on: int  # of it, by the second to the third

    @property
    def left(self) -> int:
        """What the first still carries: the cheat pays all of it twice."""
        return self.loaded - self.paid


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a payee's screen said before accepting, in minor units."""

    protected: int
    at_risk: int
    payment_code: str


def draw_amounts(seed: int, *, story_seed: int) -> Amounts:
    """Return the amounts of the story, or others for another seed, within what identified people may do."""
    if seed == story_seed:
        return Amounts(topped_up=50_00, loaded=30_00, paid=12_00, passed_on=5_00)
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    paid = chance.randint(2_00, 20_00)
    left = chance.randint(1_00, 20_00)
    return Amounts(
        topped_up=paid + left + chance.randint(1, 60_00), loaded=paid + left, paid=paid,
        passed_on=chance.randint(1, paid - 1),
    )  # fmt: skip


def decimal(amount_minor: int) -> str:
    """Return an amount as it is typed."""
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def check(what: str, found: object, expected: object) -> None:
    """Raise `StoryBrokenError` with the difference unless the two are equal."""
    if found != expected:
        raise StoryBrokenError(f"{what}: {found!r}, expected {expected!r}")


def open_wallets(world: World, amounts: Amounts) -> dict[str, Wallet]:
    """Register three identified people; the first tops up and loads, all carry a certificate."""
    wallets = {name: Wallet(world, name, phone) for name, phone in PHONES.items()}

    def join(wallet: Wallet) -> None:
        wallet.tiki("register", wallet.phone, wallet.name)
        wallet.tiki("verify", world.code_sent_to(wallet.phone))

    def prepare(wallet: Wallet) -> None:
        if wallet.name == "asha":
            wallet.tiki("topup", decimal(amounts.topped_up))
            wallet.tiki("load", decimal(amounts.loaded))
        else:
            wallet.tiki("sync")

    _at_once(join, list(wallets.values()))
    world.operator("set-tier", "identified", *wallets, "--by", "demo")
    _at_once(prepare, list(wallets.values()))
    return wallets


def meet_offline(payer: Wallet, payee: Wallet, amount: int) -> Verdict:
    """Pay face to face: request, payment and receipt, each a picture that the other scans."""
    label = f"{payer.name}-{payee.name}"
    request, payment, receipt = (payee.picture(f"{label}-request"), payer.picture(f"{label}-payment"),
                                 payee.picture(f"{label}-receipt"))  # fmt: skip
    payee.tiki("offline", "request", decimal(amount), "--png", request)
    shown = payer.tiki("offline", "pay", request, "--png", payment, "--yes")
    taken = payee.tiki("offline", "accept", payment, "--png", receipt, "--yes")
    answered = payer.tiki("offline", "accept", receipt)
    check(f"{payer.name}'s receipt", answered["answer"], "received")
    check("the amount that arrived", taken["amount_minor"], amount)
    return Verdict(protected=taken["protected_minor"], at_risk=taken["at_risk_minor"], payment_code=shown["code"])


def cheat_meets(cheat: Wallet, payee: Wallet, amount: int, *, first_payment_code: str) -> Verdict:
    """Pay with the units of an earlier payment, by a tool that skips the wallet's checks."""
    request, payment = payee.picture("cheated-request"), cheat.picture("cheating-payment")
    asked = payee.tiki("offline", "request", decimal(amount), "--png", request)
    code = pay_again(cheat.folder, payment_code=first_payment_code, request_code=asked["code"])
    segno.make(code, error="l", boost_error=False).save(payment, scale=6, border=4)
    taken = payee.tiki("offline", "accept", payment, "--yes")
    return Verdict(protected=taken["protected_minor"], at_risk=taken["at_risk_minor"], payment_code=code)


def sync_in_order(wallets: dict[str, Wallet], order: Sequence[str]) -> None:
    """Sync one after the other."""
    for name in order:
        synced = wallets[name].tiki("sync")
        check(f"what the operator refused of {name}", synced["rejected"], [])


def everybodys_money(wallets: dict[str, Wallet]) -> dict[str, Any]:
    """Return everybody's money as the operator sees it, each as `tiki balance` shows it."""
    found: dict[str, Any] = {}

    def look(wallet: Wallet) -> None:
        shown = wallet.tiki("balance")
        check(f"{wallet.name}'s balance is from the server", shown["is_fresh"], True)
        found[wallet.name] = shown["view"]

    _at_once(look, list(wallets.values()))
    return found


def amounts_of(view: dict[str, Any]) -> dict[str, int]:
    """Return the amounts of a money view in minor units, by field."""
    return {
        field: next((item["amount_minor"] for item in view[field] if item["currency"] == CURRENCY), 0)
        for field in VIEW_FIELDS
    }


def standing(views: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return everybody's amounts."""
    return {name: amounts_of(views[name]) for name in sorted(views)}


def all_money(found: dict[str, dict[str, int]]) -> int:
    """Return what everybody has or claims, each unit once per claim."""
    return sum(each[field] for each in found.values() for field in ("online", "offline", "final", "provisional"))


def wallets_in(world: World) -> dict[str, Wallet]:
    """Return the wallets of a world that was copied."""
    return {name: Wallet(world, name, phone) for name, phone in PHONES.items()}


def _at_once(act: Any, wallets: list[Wallet]) -> None:
    with ThreadPoolExecutor(max_workers=len(wallets)) as pool:
        for done in [pool.submit(act, wallet) for wallet in wallets]:
            done.result()
