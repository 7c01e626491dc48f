"""Commands for copies of payments: write them out, and carry somebody else's to the operator."""

import sys
from pathlib import Path

import click

from tikiwallet.cli import copies, show_copies, sync
from tikiwallet.cli.commands_account import phone_name
from tikiwallet.cli.groups import offline, tiki
from tikiwallet.cli.problems import NotSignedIn, ServerUnreachable
from tikiwallet.cli.problems_of_copies import NothingToCarry
from tikiwallet.cli.run import Run


@offline.command("export")
@click.argument("payment_ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--png", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Save each code as a picture there."
)
@click.option(
    "--file", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the codes in a file."
)
@click.pass_obj
def export(run: Run, payment_ids: tuple[str, ...], png: Path | None, file: Path | None) -> None:
    """Write copies of payments that the operator hasn't seen yet, or of those with these IDs, for anybody to carry.

    A payment counts if any one copy of it is brought by its date; whoever carries one gets nothing by it.
    """
    with run.wallet() as wallet:
        found = copies.copies(wallet, payment_ids)
        if file is not None:
            copies.write_file(found, file)
        if png is not None:
            found = copies.write_pictures(found, png)
        run.screen().show(found, lambda console, items: show_copies.exported(console, items, file=file, png=png))


@tiki.command("import")
@click.argument("sources", metavar="CODE|FILE|-...", nargs=-1, required=True)
@click.pass_obj
def import_copies(run: Run, sources: tuple[str, ...]) -> None:
    """Carry copies of anybody's payments to the operator: stored here first, and brought at once if there is a network.

    A FILE has one code a line (lines that begin with # are passed over), or is a picture. You get nothing by it.
    """
    found = copies.read_sources(sources, sys.stdin.buffer)
    with run.online() as me:
        carried = copies.carry(me.wallet, found)
        _refuse_nothing([item for item, _ in carried])
        try:
            with run.screen().waiting("Meeting the operator") as progress:
                sync.sync(me, keep=None, phone_name=phone_name(), progress=progress)
        except (ServerUnreachable, NotSignedIn) as problem:
            me.wallet.notices.append(problem)
        items = copies.outcomes(me.wallet, carried)
        run.screen().show(show_copies.Imported.of(items, given=len(found)), show_copies.imported)


def _refuse_nothing(carried: list[copies.Carried]) -> None:
    """Raise what says why, if nothing of what was given is worth carrying."""
    if any(item.outcome != "rejected" for item in carried):
        return
    problem = NothingToCarry()
    if len(carried) == 1:  # one bad code is refused for its own reason, as everywhere
        problem = NothingToCarry(carried[0].detail)
        problem.code = carried[0].code
    elif carried:
        problem = NothingToCarry(f"{NothingToCarry.sentence()} Refused: {show_copies.reasons(carried)}.")
    raise problem
