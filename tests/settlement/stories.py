"""The worked examples of protocol/spec/05-close.md: read from its JSON, closed, and written as in the chapter."""

import json
from pathlib import Path
from typing import Any

from settlement.paper import FIRST, NOW, OPERATOR, Key, close_input, pay, voucher
from tikicash.closing import Close, settle
from tikicash.messages import Piece, Signed
from tikicash.settlement import double_spends

SPEC = Path(__file__).parents[2] / "protocol" / "spec"
CHAPTER = SPEC / "05-close.md"
STORIES: list[dict[str, Any]] = json.loads((SPEC / "05-close.json").read_text())
BLOCK = 1000  # the units of each voucher of a story start at a multiple of it
DAY = 86_400


class Story:
    """One example with its documents; people are keys, and a key belongs to whom the story says."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        owners, unregistered = told.get("owners", {}), told.get("unregistered", [])
        names = {item["owner"] for item in told["vouchers"]} | {item["to"] for item in told["payments"]}
        self.keys = {
            name: Key(name, None if name in unregistered else owners.get(name, name))
            for name in sorted(names - {"operator"})
        }
        self.papers: dict[str, Signed[Any]] = {}
        self.base: dict[str, int] = {}  # where the units of a document are counted from
        for number, item in enumerate(told["vouchers"], 1):
            first = FIRST + number * BLOCK
            self.papers[item["name"]] = voucher(
                self.keys[item["owner"]],
                item["count"],
                first=first,
                cover=item["cover"],
                audience_key=self.keys[item["locked_to"]].public if "locked_to" in item else None,
                claim_by=NOW + item["claim_day"] * DAY,
            )
            self.base[item["name"]] = first
        for number, item in enumerate(told["payments"]):
            self._pay(number, item)

    def _pay(self, number: int, item: dict[str, Any]) -> None:
        pieces = []
        for piece in item["pieces"]:
            parent = self.papers[piece["of"]]
            base = self.base[piece.get("voucher", piece["of"])]
            pieces.append(Piece(parent_id=parent.short_id, first=base + piece["first"], count=piece["count"]))
        payee = OPERATOR if item["to"] == "operator" else self.keys[item["to"]]
        self.papers[item["name"]] = pay(payee, *pieces, nonce=number)
        self.base[item["name"]] = self.base[item["pieces"][0].get("voucher", item["pieces"][0]["of"])]

    def in_time(self, on: str) -> list[Signed[Any]]:
        late = {item["name"] for item in self.told["payments"] if on in item.get("late_for", [])}
        return [paper for name, paper in self.papers.items() if name not in late]

    def closes(self) -> list[tuple[str, Close]]:
        """Close the vouchers one after the other; what a close uses up is gone for the next."""
        told = self.told
        budgets = {self.keys[name]: left for name, left in told.get("cover_budgets", {}).items()}
        own, guarantees = dict(told.get("online", {})), dict(told.get("guarantees", {}))
        results = []
        for item in told["vouchers"]:
            result = settle(
                close_input(
                    self.papers[item["name"]],
                    self.in_time(item["name"]),
                    self.keys.values(),
                    refused=[self.papers[name] for name in told.get("refused", [])],
                    budgets=budgets,
                    own=own,
                    guarantees=guarantees,
                    advanced=told.get("advanced", {}).get(item["name"], {}),
                )
            )
            for key in budgets:
                budgets[key] -= result.shares[key.id].top if key.id in result.shares else 0
            for account, liability in result.liabilities.items():
                own[account] = own.get(account, 0) - liability.from_online
                guarantees[account] = guarantees.get(account, 0) - liability.from_guarantee
            results.append((item["name"], result))
        return results

    def named(self) -> list[str]:
        names = {key.id: name for name, key in self.keys.items()}
        found = double_spends(self.papers.values(), operator=frozenset({OPERATOR.id}))
        return sorted({names[item.key_id] for item in found})

    def result(self) -> dict[str, Any]:
        """What happened, in the form of the story's `expect`."""
        return {"named": self.named(), "closes": [self._plain(name, close) for name, close in self.closes()]}

    def _plain(self, name: str, close: Close) -> dict[str, Any]:
        keys = {key.id: one for one, key in self.keys.items()}
        gets = {
            keys[key]: {
                part: getattr(share, part) for part in ("home", "sole", "shared", "top") if getattr(share, part)
            }
            for key, share in close.shares.items()
        }
        owes = {
            account: {
                part: getattr(item, part)
                for part in ("owed", "from_shares", "from_online", "from_guarantee")
                if getattr(item, part)
            }
            for account, item in close.liabilities.items()
        }
        payouts = {keys.get(account, account): amount for account, amount in close.payouts.items()}
        return {
            "voucher": name,
            "gets": dict(sorted(gets.items())),
            "owes": dict(sorted(owes.items())),
            "payouts": dict(sorted(payouts.items())),
            "debts": dict(close.debts),
            "from_operator": close.from_operator,
        }


def render(told: dict[str, Any]) -> str:
    """One example as the chapter shows it."""
    lines = [f"### {told['title']}", told["why"], ""]
    for item in told["vouchers"]:
        locked = f", locked to {item['locked_to']}" if "locked_to" in item else ""
        lines.append(f"- {item['name']}: {item['owner']}'s voucher of {item['count']}{locked}, cover {item['cover']}.")
    for item in told["payments"]:
        pieces = ", ".join(f"{one['of']} {span(one)}" for one in item["pieces"])
        late = f"; too late for {' and '.join(item['late_for'])}" if item.get("late_for") else ""
        refused = f"; {item['to']} refuses it" if item["name"] in told.get("refused", []) else ""
        lines.append(f"- {item['name']}: {item['by']} pays {item['to']} {pieces}{late}{refused}.")
    lines += [f"- {line}" for line in circumstances(told)]
    lines += ["", "| Close | Key | home | sole | shared | top |", "|---|---|---|---|---|---|"]
    for close in told["expect"]["closes"]:
        for key, share in close["gets"].items():
            parts = " | ".join(str(share.get(part, 0)) for part in ("home", "sole", "shared", "top"))
            lines.append(f"| {close['voucher']} | {key} | {parts} |")
    lines.append("")
    lines += [after(close) for close in told["expect"]["closes"]]
    named = " and ".join(told["expect"]["named"])
    lines.append(f"- Named: {named or 'nobody'}.")
    return "\n".join(lines)


def circumstances(told: dict[str, Any]) -> list[str]:
    found = [f"{key} is a phone of {owner}." for key, owner in told.get("owners", {}).items()]
    found += [f"Nobody registered {key}." for key in told.get("unregistered", [])]
    for part, words in (("online", "has online"), ("guarantees", "is guaranteed for"), ("cover_budgets", "has B")):
        found += [f"{who} {words} {amount}." for who, amount in told.get(part, {}).items()]
    for on, advances in told.get("advanced", {}).items():
        found += [f"{who} was advanced {amount} on {on}." for who, amount in advances.items()]
    return found


def after(close: dict[str, Any]) -> str:
    paid = ", ".join(f"{who} {amount}" for who, amount in close["payouts"].items()) or "nobody"
    owes = []
    for who, item in close["owes"].items():
        pots = [f"{pot} {item.get(f'from_{pot}', 0)}" for pot in ("shares", "online", "guarantee")]
        owes.append(f"{who} owes {item['owed']}, paid from {', '.join(pots)}")
    debts = [f"{who} has a debt of {amount}" for who, amount in close["debts"].items()]
    operator = [f"the operator adds {close['from_operator']}"] if close["from_operator"] else []
    return "; ".join([f"- Paid out of {close['voucher']}: {paid}", *owes, *debts, *operator]) + "."


def span(piece: dict[str, Any]) -> str:
    first, last = piece["first"], piece["first"] + piece["count"] - 1
    return str(first) if first == last else f"{first} to {last}"
