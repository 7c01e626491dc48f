"""The reconciliation as people read it: a table for the terminal, a CSV file, and a picture that tells at one look."""

from collections.abc import Iterator
from html import escape
from typing import Final

from tikiwallet.funding.reconciliation import AGES_DAYS, WRONG, BankReconciliation, Finding, Held, Line
from tikiwallet.platform.csv_cells import cell, decimal_cell, table
from tikiwallet.platform.money import format_decimal

HEAD: Final = ("finding", "subject", "currency", "here", "there", "newest_at", "age_days")
WIDTH, LEFT, BAR, GAP = 860, 150, 18, 8
INK, QUIET = "#1c1e21", "#8a8f98"
COLORS: Final = {
    Finding.MATCHED: "#2f7d4f",
    Finding.UNDERWAY: "#c08a1e",
    Finding.MISSING_HERE: "#b3402f",
    Finding.MISSING_THERE: "#7d2f6b",
    Finding.DIFFERENT: "#d1664f",
    Finding.OWN: "#9aa3ad",
}
AGE_NAMES: Final = ("today", "1-2 days", "3-6 days", "7-29 days", "30 days and more")


def age_class(line: Line) -> str:
    """Return the class of age of a line."""
    return AGE_NAMES[sum(line.age_days >= end for end in AGES_DAYS)]


def counts(found: BankReconciliation) -> dict[str, dict[Finding, int]]:
    """Return how many subjects there are by age and finding."""
    counted: dict[str, dict[Finding, int]] = {name: dict.fromkeys(Finding, 0) for name in AGE_NAMES}
    for line in found.lines:
        counted[age_class(line)][line.finding] += 1
    return counted


def as_text(found: BankReconciliation) -> str:
    """Return the report for a terminal: what is wrong, how much there is of everything, what is held."""
    rows = [
        f"{line.finding.value:<14} {line.subject:<48} {line.currency} {_decimal(line.here_minor, line):>14} here "
        f"{_decimal(line.there_minor, line):>14} there  {line.newest_at:%Y-%m-%d}, {line.age_days} days"
        for line in found.lines
        if line.finding in WRONG
    ]
    counted = counts(found)
    rows += [f"{'':<16} " + " ".join(f"{finding.value:>13}" for finding in Finding)]
    rows += [f"{age:<16} " + " ".join(f"{number:>13}" for number in counted[age].values()) for age in AGE_NAMES]
    rows += [_held_sentence(item) for item in found.held]
    rows += [
        f"The provider kept {format_decimal(fee.amount_minor, fee.currency)} {fee.currency}."
        for fee in found.fees
        if fee.amount_minor
    ]
    return "\n".join(rows)


def _held_sentence(item: Held) -> str:
    owed, provider, bank, spare = (
        format_decimal(minor, item.currency)
        for minor in (item.owed_minor, item.provider_minor, item.bank_minor, item.spare_minor)
    )
    verdict = "enough" if item.spare_minor >= 0 else "NOT ENOUGH"
    return (
        f"{item.currency}: people are owed {owed}; held {provider} by the provider and {bank} in the bank; "
        f"{spare} to spare: {verdict}"
    )


def _decimal(minor: int, line: Line) -> str:
    return format_decimal(minor, line.currency)


def as_csv(found: BankReconciliation) -> str:
    """Return every line as CSV."""
    return table(
        HEAD,
        (
            (
                line.finding.value,
                cell(line.subject),
                line.currency,
                decimal_cell(_decimal(line.here_minor, line)),
                decimal_cell(_decimal(line.there_minor, line)),
                line.newest_at.isoformat(),
                cell(line.age_days),
            )
            for line in found.lines
        ),
    )


def as_svg(found: BankReconciliation) -> str:
    """Return a picture: how many subjects by age and finding, and what is owed beside what is held."""
    parts = [*_ages(found), *_legend(60 + (BAR + GAP) * len(AGE_NAMES))]
    top = 120 + (BAR + GAP) * len(AGE_NAMES)
    for item in found.held:
        parts += _owed_and_held(item, top)
        top += 3 * (BAR + GAP)
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" '
                'font-size="13">'
            ),
            f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>',
            (
                f'<text x="12" y="26" font-size="15" fill="{INK}">Books against the world, {found.since:%d %b %Y} to '
                f"{found.as_of:%d %b %Y}</text>"
            ),
            *parts,
            "</svg>",
            "",
        )
    )


def _bar(left: int, top: int, width: int, color: str, title: str) -> str:
    box = f'x="{left}" y="{top}" width="{width}" height="{BAR}" fill="{color}"'
    return f"<rect {box}><title>{escape(title)}</title></rect>"


def _ages(found: BankReconciliation) -> Iterator[str]:
    counted = counts(found)
    most = max(1, *(sum(each.values()) for each in counted.values()))
    for number, age in enumerate(AGE_NAMES):
        top, left = 44 + (BAR + GAP) * number, LEFT
        yield f'<text x="12" y="{top + 14}" fill="{INK}">{age}</text>'
        for finding, count in counted[age].items():
            if count:
                width = max(3, count * (WIDTH - LEFT - 120) // most)  # one that is wrong is seen among thousands
                yield _bar(left, top, width, COLORS[finding], f"{finding.value}: {count}")
                left += width
        yield f'<text x="{left + 6}" y="{top + 14}" fill="{QUIET}">{sum(counted[age].values())}</text>'


def _legend(top: int) -> Iterator[str]:
    for number, (finding, color) in enumerate(COLORS.items()):
        left = 12 + 138 * number
        yield f'<rect x="{left}" y="{top}" width="12" height="12" fill="{color}"/>'
        yield f'<text x="{left + 18}" y="{top + 11}" fill="{INK}">{finding.value.replace("_", " ")}</text>'


def _owed_and_held(item: Held, top: int) -> Iterator[str]:
    most = max(1, item.owed_minor, item.provider_minor + item.bank_minor)
    room = WIDTH - LEFT - 170
    bars = (
        ("owed to people", ((item.owed_minor, "#2c5aa0", "owed"),)),
        ("held", ((item.provider_minor, "#2f7d4f", "provider"), (item.bank_minor, "#6fae86", "bank"))),
    )
    for number, (name, stack) in enumerate(bars):
        left, y = LEFT, top + (BAR + GAP) * number
        yield f'<text x="12" y="{y + 14}" fill="{INK}">{item.currency} {name}</text>'
        for minor, color, title in stack:
            width = max(0, minor) * room // most
            yield _bar(left, y, width, color, f"{title}: {format_decimal(minor, item.currency)}")
            left += width
        total = format_decimal(sum(minor for minor, _, _ in stack), item.currency)
        color = "#b3402f" if number and item.spare_minor < 0 else INK
        yield f'<text x="{left + 6}" y="{y + 14}" fill="{color}">{total}</text>'
