"""Rules that were tried or could be forgotten, each put in place of the right one: the audit must notice every one.

A simulation that always says "held" proves nothing. `python -m sim.mutants` runs a small world under each mutant and
shows which promise broke first; it fails if one goes unnoticed. The product has no switch for any of this.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final
from unittest.mock import patch

from sim import operator, paper, wallet
from sim.outcome import Outcome, outcome, record_of
from sim.people import Phone
from sim.world import Settings, World
from tikicash import closing, holders, rules, settlement
from tikicash.book import hand_on
from tikicash.chain import Chain, is_payment
from tikicash.closing import Close, CloseInput
from tikicash.messages import Bundle
from tikicash.settlement import Branch

SMALL: Final = Settings(seed=1, phones=60, payments=900, days=16, cheats_in_a_thousand=300, phones_per_village=20)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong rule: what it is, and which promise it breaks."""

    says: str
    breaks: str  # a name of Outcome.broken
    target: object
    attribute: str
    wrong: Callable[..., Any]
    way: str | None = None  # of cheating, that makes the most of it


def first_claim_wins(close: CloseInput) -> Close:
    """Pay whoever arrived first; whatever disagrees with it is dropped, and what stands on that."""
    found: dict[bytes, list[Branch]] = defaultdict(list)
    for branch in settlement.branches(close.documents, operator=close.operator):
        found[branch.payment.id].append(branch)
    taken: list[Branch] = []
    kept = []
    for document in close.documents:
        mine = found[document.id]
        clash = any(settlement.in_conflict(one, other) for one in mine for other in taken)
        if not clash:
            kept.append(document)
            taken.extend(mine)
    size = 0
    while size != len(kept):
        size = len(kept)
        here = {document.short_id for document in kept}
        kept = [item for item in kept if not is_payment(item) or all(one.parent_id in here for one in item.body.pieces)]
    return _settle(replace(close, documents=tuple(kept)))


def identity_by_signature(body: object, payload: bytes, signature: bytes) -> bytes:
    """Name a document by its signature too."""
    return hashlib.sha256(type(body).__name__.encode() + payload + signature).digest()


def cover_for_each_claim(close: CloseInput, key: bytes, *, claimed: int, have: int) -> int:  # noqa: ARG001
    """Promise cover to every claim, whatever the key's budget is."""
    return max(0, claimed - have)


def cover_per_account(close: CloseInput) -> Close:
    """Promise cover once to an account, and not to each of its keys."""
    bare = _settle(replace(close, budgets={}))
    room: dict[object, int] = {}
    budgets = {}
    for key, share in bare.shares.items():
        owner = close.account_of.get(key, key)
        keys = [item for item in bare.shares if close.account_of.get(item, item) == owner]
        if owner not in room:
            claimed = sum(bare.shares[item].claimed for item in keys)
            have = sum(bare.shares[item].sole + bare.shares[item].shared for item in keys)
            room[owner] = max(0, min(close.voucher.body.cover, claimed) - have)
        budgets[key] = min(close.budgets.get(key, 0), max(0, share.claimed - share.sole - share.shared), room[owner])
        room[owner] -= budgets[key]
    return _settle(replace(close, budgets=budgets))


def hand_back_competes(*given: Any, refused: frozenset[bytes], operator: frozenset[bytes]) -> Any:  # noqa: ARG001
    """Treat the operator as one more payee."""
    return _changes(*given, refused=refused, operator=frozenset())


def release_without_limit(*_: Any) -> int:
    """Release whatever is handed back."""
    return 10**9


def culprit_competes(*_: Any) -> None:
    """Let a double spender's own phones share with his victims."""


def different_accounts(one: Branch, other: Branch) -> Any:
    """See a double spend only where two people were paid: Asha's two phones are one person."""
    if _person(one) == _person(other):
        return None
    return _in_conflict(one, other)


def show_then_reserve(phone: Phone, bundle: Bundle, *, paper: paper.Paper, crashes: bool) -> Bundle:
    """Show the code first. A phone that crashes before it stores anything will spend the units again."""
    if not crashes:
        phone.book = hand_on(phone.book, wallet.payment_of(bundle), operator=frozenset({paper.operator.id}))
    return bundle


def payers_clock(chain: Chain, *, now: int) -> None:
    """Believe the date in the payment."""
    _check_dates(chain, now=min(now, chain.payment.body.paid_at))


_settle, _changes, _in_conflict, _check_dates = (
    closing.settle,
    holders.changes,
    settlement.in_conflict,
    rules.check_dates,
)
_people: dict[bytes, int] = {}


def _person(branch: Branch) -> object:
    payee = branch.payment.body.payee_id
    return _people.get(payee, payee)


MUTANTS: Final[dict[str, Mutant]] = {
    "first_claim_wins": Mutant("the first claim wins", "honest_loss_over_shown", closing, "settle", first_claim_wins),
    "identity_by_signature": Mutant(
        "a document is named by its signature", "honest_named", paper, "identity", identity_by_signature
    ),
    "cover_for_each_claim": Mutant(
        "cover belongs to a claim", "cover_over_budget", closing, "_top", cover_for_each_claim
    ),
    "cover_per_account": Mutant(
        "cover belongs to an account", "honest_loss_over_shown", closing, "settle", cover_per_account, "two_phones"
    ),
    "hand_back_competes": Mutant("a hand-back competes", "hand_back_matters", closing, "changes", hand_back_competes),
    "release_without_limit": Mutant(
        "hand-backs are released without limit", "released_over_limit", operator, "release_left", release_without_limit
    ),
    "culprit_competes": Mutant(
        "a culprit competes below himself",
        "self_payment_takes_from_others",
        holders.Sweep,
        "_set_bad_above",
        culprit_competes,
        "self_laundering",
    ),
    "different_accounts": Mutant(
        "only payments to two people are a double spend",
        "cheats_unnamed",
        settlement,
        "in_conflict",
        different_accounts,
        "two_phones",
    ),
    "show_then_reserve": Mutant(
        "the code is shown before it is stored", "honest_named", wallet, "reserve_and_show", show_then_reserve
    ),
    "payers_clock": Mutant(
        "the payer's clock is believed", "honest_loss_over_shown", rules, "check_dates", payers_clock, "dead_money"
    ),
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Put one wrong rule in place while the block runs."""
    mutant = MUTANTS[name]
    with patch.object(mutant.target, mutant.attribute, mutant.wrong):
        yield


def note_people(worlds: Iterable[World]) -> None:
    """Tell the mutant that looks at people whose each key is."""
    _people.clear()
    for world in worlds:
        _people.update(world.operator.account_of)


def run(settings: Settings, mutant: str | None = None) -> tuple[World, Outcome]:
    """Run a single district, under a mutant if one is named, and judge it."""
    with nullcontext() if mutant is None else mutated(mutant):
        world = World(settings)
        note_people([world])
        world.run()
        return world, outcome(record_of(world))


def main() -> int:
    """Run every mutant on a small world and print what it broke. Returns 1 if one was not noticed."""
    missed = 0
    for name, mutant in MUTANTS.items():
        _, found = run(replace(SMALL, only_way=mutant.way), name)
        caught = mutant.breaks in found.broken
        missed += not caught
        broken = ", ".join(found.broken) or "nothing"
        sys.stdout.write(f"{'caught' if caught else 'MISSED'}  {name:24} {mutant.says}: breaks {broken}\n")
    _, found = run(SMALL)
    sys.stdout.write(f"without a mutant: {found.line}\n")
    return 1 if missed or found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
