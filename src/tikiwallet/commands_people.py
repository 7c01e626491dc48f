"""The operators' commands about people: what each may do, and what was done by whom (`tikiwallet audit`)."""

import getpass
import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from tikiwallet.app import Parts
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.types import FreezeReason, Tier
from tikiwallet.identity.verification import DocumentKind, Evidence, SeenByOperator
from tikiwallet.ledger.corrections import AUDIT as LEDGER_AUDIT
from tikiwallet.operating import with_parts
from tikiwallet.platform.audit import PAGE_SIZE, By, Entry, Head, Verification
from tikiwallet.platform.http import utc_now

AUDITED = {"identity": AUDIT, "ledger": LEDGER_AUDIT}  # every context with an audit log

by_option: Callable[[Any], Any] = click.option(
    "--by", "operator", default=getpass.getuser, show_default="you", help="Who decides this; it is recorded."
)


@click.command("set-tier")
@click.argument("tier", type=click.Choice([tier.value for tier in Tier]))
@click.argument("who", nargs=-1, required=True)
@by_option
def set_tier_command(tier: str, who: tuple[str, ...], operator: str) -> None:
    """Give a TIER to everybody in WHO (usernames or phone numbers)."""

    async def change(parts: Parts) -> None:
        for each in who:
            person = await parts.identity.operators.set_tier(
                each, Tier(tier), by=By.operator(operator), now=utc_now()
            )  # fmt: skip
            # Also if the tier is the same: a command that was cut off in between is simply given again.
            await parts.payments.wallets.apply_tier(person.person_id, person.tier)
            click.echo(f"{person.username} is now {person.tier.value}.")

    with_parts(change)


@click.command("verify-person")
@click.argument("who")
@click.option("--document", required=True, type=click.Choice([kind.value for kind in DocumentKind]))
@click.option("--country", required=True, help="Who issued it (ISO 3166, two letters).")
@click.option("--valid-until", type=click.DateTime(["%Y-%m-%d"]), help="If it expires.")
@by_option
def verify_person_command(
    *, who: str, document: str, country: str, valid_until: datetime | None, operator: str
) -> None:
    """Record that you saw an original DOCUMENT of WHO (no copy, no number), and raise the tier.

    An extract of the business register makes a till, anything else an identified person.
    """
    evidence = Evidence(
        document=DocumentKind(document),
        country=country.upper(),
        valid_until=valid_until.date() if valid_until else None,
    )

    async def verify(parts: Parts) -> None:
        person = await parts.identity.verifications.verify(
            who, SeenByOperator(evidence), by=By.operator(operator), now=utc_now()
        )
        await parts.payments.wallets.apply_tier(person.person_id, person.tier)
        click.echo(f"{person.username} is now {person.tier.value}.")

    with_parts(verify)


@click.command("apply-tiers")
def apply_tiers_command() -> None:
    """Give every wallet the numbers of its tier, after you changed them (TIKIWALLET_TIER_LIMITS)."""

    async def apply(parts: Parts) -> int:
        count = 0
        async for person in parts.identity.people.all_in_full():
            await parts.payments.wallets.apply_tier(person.person_id, person.tier)
            count += 1
        return count

    click.echo(f"Wallets with the numbers of their tier: {with_parts(apply)}.")


@click.command("freeze")
@click.argument("who")
@click.option("--because", required=True, type=click.Choice([reason.value for reason in FreezeReason]))
@by_option
def freeze_command(who: str, because: str, operator: str) -> None:
    """Let nothing leave the wallet of WHO any more; it still receives, reads and settles offline payments.

    The owner is told why: asked (by the owner), unusual (something looks wrong), law (you have to).
    """

    async def freeze(parts: Parts) -> None:
        person = await parts.identity.operators.freeze(
            who, FreezeReason(because), by=By.operator(operator), now=utc_now()
        )
        click.echo(f"{person.username} is frozen ({because}).")

    with_parts(freeze)


@click.command("unfreeze")
@click.argument("who")
@by_option
def unfreeze_command(who: str, operator: str) -> None:
    """Let the wallet of WHO work again."""

    async def unfreeze(parts: Parts) -> None:
        person = await parts.identity.operators.unfreeze(who, by=By.operator(operator), now=utc_now())
        click.echo(f"{person.username} is {person.state.value}.")

    with_parts(unfreeze)


@click.command("close-wallets")
def close_wallets_command() -> None:
    """Close every wallet whose owner asked for it and in whose way nothing is any more. Run it daily."""

    async def close(parts: Parts) -> int:
        return await parts.identity.closings.carry_all_on(now=utc_now())

    click.echo(f"Wallets closed: {with_parts(close)}.")


@click.command("erase")
@click.option("--after-days", type=click.IntRange(min=0), required=True, help="How long you have to keep who it was.")
@by_option
def erase_command(after_days: int, operator: str) -> None:
    """Take the names off everybody who closed their wallet so many days ago. The books keep what was moved."""

    async def erase(parts: Parts) -> int:
        now = utc_now()
        return await parts.identity.closings.erase_old(
            closed_before=now - timedelta(days=after_days), by=By.operator(operator), now=now
        )

    click.echo(f"People erased: {with_parts(erase)}.")


@click.command("audit")
@click.argument("who", required=False)
@click.option("--context", type=click.Choice(list(AUDITED)), default="identity", show_default=True)
@click.option("--after", type=click.IntRange(min=0), default=0, help="List the entries after this number.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--verify", "is_verified", is_flag=True, help="Read the whole chain instead, and say what is wrong.")
@click.option("--head", "kept", metavar="HEAD", help="A head that --verify printed earlier: is it still in the chain?")
def audit_command(
    *, who: str | None, context: str, after: int, as_json: bool, is_verified: bool, kept: str | None
) -> None:
    """List who did what: everything, or what was done to WHO (a username or phone number).

    With --verify (or --head) the chain is checked to the last entry; exit code 1 if anything is wrong. Keep the head
    that it prints somewhere else: only so can you tell that nobody has made the whole chain anew.
    """
    if is_verified or kept is not None:
        _verify(context, kept)
        return

    async def collect(parts: Parts) -> list[Entry]:
        about = (await parts.identity.operators.find(who)).person_id if who is not None else None
        found: list[Entry] = []
        last = after
        while page := await AUDITED[context].entries(parts.databases[context], about=about, after=last):
            found += page
            last = page[-1].entry_no
            if len(page) < PAGE_SIZE:
                break
        return found

    for entry in with_parts(collect):
        click.echo(_as_json(entry) if as_json else _as_line(entry))


def _verify(context: str, kept: str | None) -> None:
    try:
        head = Head.parse(kept) if kept is not None else None
    except ValueError as error:
        raise click.BadParameter("a head looks like 12:0a1b..., with 64 hex digits.", param_hint="--head") from error

    async def verify(parts: Parts) -> Verification:
        return await AUDITED[context].verify(parts.databases[context], kept=head)

    found = with_parts(verify)
    for entry_no, fault in found.faults:
        click.echo(f"entry {entry_no}: {fault.value}")
    click.echo(
        f"{context}: {found.head.entry_count} entries, {'NOT RIGHT, see above' if found.faults else 'all right'}"
    )
    click.echo(f"head {found.head}")
    if found.faults:
        sys.exit(1)


def _as_line(entry: Entry) -> str:
    where = ", ".join(part for part in (entry.address, entry.label) if part)
    parts = [
        f"{entry.entry_no}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.act}  by {entry.actor}",
        f"about {entry.subject}" if entry.subject else "",
        f"from {where}" if where else "",
        entry.detail if entry.detail != "{}" else "",
    ]
    return "  ".join(part for part in parts if part)


def _as_json(entry: Entry) -> str:
    return json.dumps(
        {
            "entry_no": entry.entry_no, "at": entry.at.isoformat(), "act": entry.act, "actor": entry.actor,
            "subject": str(entry.subject) if entry.subject else None, "address": entry.address,
            "session_id": str(entry.session_id) if entry.session_id else None, "label": entry.label,
            "detail": json.loads(entry.detail), "entry_hash": entry.entry_hash.hex(),
        },
        ensure_ascii=False,
    )  # fmt: skip


PEOPLE_COMMANDS = (
    set_tier_command, verify_person_command, apply_tiers_command, freeze_command, unfreeze_command,
    close_wallets_command, erase_command, audit_command,
)  # fmt: skip
