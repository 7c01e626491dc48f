"""Commands about proofs of double spends. Neither of them needs a network, and checking one needs no wallet."""

import sys
from pathlib import Path

import click

from tikiwallet.cli import codes, proofs, show_proofs
from tikiwallet.cli.groups import offline, tiki
from tikiwallet.cli.run import Run


@tiki.command("verify-proof")
@click.argument("code")
@click.option(
    "--root-key", metavar="HEX|FILE", help="The operator's root key; without it, the one that this wallet trusts."
)
@click.pass_obj
def verify_proof(run: Run, code: str, root_key: str | None) -> None:
    """Check a proof that somebody paid twice with the same money. Exit status 0 if it convinces, 1 if it doesn't."""
    if root_key is not None:
        key = proofs.read_root_key(root_key)
        message = codes.read_code(code, sys.stdin.buffer)
        run.screen().show(proofs.verify(message, root_key=key), show_proofs.convincing)
        return
    message = codes.read_code(code, sys.stdin.buffer)
    with run.wallet() as wallet:
        found = proofs.verify(message, root_key=proofs.pinned_root_key(wallet))
        run.screen().show(proofs.named(wallet, found), show_proofs.convincing)


@offline.command("proof")
@click.argument("payment_id", metavar="[ID]", default="")
@click.option(
    "--png", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Save each proof as a picture there."
)
@click.pass_obj
def make_proof(run: Run, payment_id: str, png: Path | None) -> None:
    """Prove from the payments on this phone that somebody paid twice: all such proofs, or those about payment ID."""
    with run.wallet() as wallet:
        found = proofs.made(wallet, payment_id)
        if png is not None:
            found = proofs.write_pictures(found, png)
        run.screen().show(found, lambda console, items: show_proofs.made(console, items, png=png))
