"""How the story is told: a table of who has what, and where it is underway."""

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.story import CURRENCY, VIEW_FIELDS, amounts_of, decimal

HEADINGS = {
    "online": "online",
    "offline": "on the phone",
    "final": "final",
    "provisional": "provisional",
    "underway": "underway",
}


def money(console: Console, views: dict[str, Any], *, title: str) -> None:
    """Print who has what, and until when it is underway."""
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("")
    for field in VIEW_FIELDS:
        table.add_column(HEADINGS[field], justify="right")
    table.add_column("until")
    for name in sorted(views):
        amounts = amounts_of(views[name])
        dates = [datetime.fromisoformat(line["claim_by"]) for line in views[name]["lines"] if line["claim_by"]]
        until = f"{max(dates):%-d %b %Y}" if dates else ""
        table.add_row(name.capitalize(), *(decimal(amounts[field]) for field in VIEW_FIELDS), until)
    console.print()
    console.print(table)
    console.print(f"[dim]in {CURRENCY}; final and provisional: paid to this person offline, decided at the date[/]")
