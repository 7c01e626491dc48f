"""How copies of payments look: a file on standard output, so that a pipe carries them, and a count of what became."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from tikiwallet.cli.copies import Carried, Copy, file_text
from tikiwallet.cli.show import done, waiting, warn

REJECTIONS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of everything that was given to be carried."""

    items: list[Carried]
    recorded: int
    known: int
    waiting: int
    rejected: int
    repeated: int  # the same once more

    @classmethod
    def of(cls, items: list[Carried], *, given: int) -> "Imported":
        """Return the counts of some items, of which `given` were there with repetitions."""
        count = Counter(item.outcome for item in items)
        return cls(
            items=items, recorded=count["recorded"], known=count["known"], waiting=count["waiting"],
            rejected=count["rejected"], repeated=given - len(items),
        )  # fmt: skip


def reasons(items: list[Carried]) -> str:
    """Return why some were rejected, each reason with how often: "2 bad_cbor, 1 wrong_network"."""
    count = Counter(item.code for item in items)
    return ", ".join(f"{number} {code}" for code, number in sorted(count.items()))


def exported(console: Console, items: list[Copy], *, file: Path | None, png: Path | None) -> None:
    """Show copies: the file itself if it goes nowhere else."""
    if file is None and png is None:
        console.file.write(file_text(items))
        return
    what = f"{len(items)} {'copy' if len(items) == 1 else 'copies'}"
    where = " and ".join(str(place) for place in (file, png) if place is not None)
    done(console, f"{what} in {where}.", "Anybody who is signed in can bring them: `tiki import`.")
    undrawn = [item for item in items if png is not None and item.picture is None]
    if undrawn:
        warn(console, f"{len(undrawn)} too large for a picture: save them with --file.")


def imported(console: Console, item: Imported) -> None:
    """Show what became of what was carried. A courier sees neither amounts nor names."""
    brought = item.recorded + item.known
    if brought:
        known = f" The operator had {item.known} of them already." if item.known else ""
        done(console, f"{brought} brought to the operator.{known}")
    if item.waiting:
        waiting(console, f"{item.waiting} stored here, to be brought with the next `tiki sync`.")
    rejected = [carried for carried in item.items if carried.outcome == "rejected"]
    if rejected:
        warn(console, f"{len(rejected)} rejected: {reasons(rejected)}.")
    for carried in rejected[:REJECTIONS_SHOWN]:
        where = f"{Path(carried.source).name}:{carried.line}: " if carried.source else ""
        warn(console, f"{where}{carried.detail}", carried.code)
    if len(rejected) > REJECTIONS_SHOWN:
        warn(console, f"{len(rejected) - REJECTIONS_SHOWN} more: see all with --json.")
