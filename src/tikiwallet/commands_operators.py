"""The commands that make operators (`tikiwallet operator`): whoever may run them decides who may look after the wallet.

Only here is an operator made and a link given out. On the page an admin could otherwise make two people out of one, and
the rule that a correction needs two would be worth nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import click

from tikiwallet.app import Parts
from tikiwallet.commands_people import by_option
from tikiwallet.identity.operator_accounts import ENROLMENT_TTL, NewLink, Operator, OperatorRole, make_link
from tikiwallet.identity.passkeys import PasskeysUnavailable, relying_party
from tikiwallet.operating import with_parts
from tikiwallet.platform.audit import By
from tikiwallet.platform.http import utc_now

BY_COMMAND = "by command"

roles_option = click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in OperatorRole]),
    help="What the operator is there for; may be given several times.",
)  # fmt: skip


@click.group("operator")
def operator_commands() -> None:
    """Make and look after operators: who may sign in at /operator, and what each may do there."""


@operator_commands.command("add")
@click.argument("name")
@roles_option
@by_option
def add_operator(name: str, roles: Sequence[str], operator: str) -> None:
    """Make the operator NAME and print the link by which they register a passkey, once and within 15 minutes."""
    now, link = utc_now(), make_link()

    async def add(parts: Parts) -> str:
        address = _address(parts, link)
        await parts.identity.operator_accounts.add(
            name, [OperatorRole(role) for role in roles], link, operator_id=uuid4(), by=By.operator(operator), now=now
        )
        return address

    _print_link(name, with_parts(add), now=now)


@operator_commands.command("link")
@click.argument("name")
@by_option
def new_link(name: str, operator: str) -> None:
    """Print a new link for NAME, whose key is lost. The key they had and all their sessions are gone at once."""
    now, link = utc_now(), make_link()

    async def renew(parts: Parts) -> str:
        address = _address(parts, link)
        await parts.identity.operator_accounts.renew_link(name, link, by=By.operator(operator), now=now)
        return address

    _print_link(name, with_parts(renew), now=now)


@operator_commands.command("list")
def list_operators() -> None:
    """List all operators: name, roles, whether they have a passkey, when they were last seen."""

    async def collect(parts: Parts) -> list[Operator]:
        return await parts.identity.operator_accounts.all()

    for each in with_parts(collect):
        key = "disabled" if each.disabled_at else "has a passkey" if each.has_passkey else "has no passkey yet"
        seen = f"last seen {each.last_seen_at:%Y-%m-%d %H:%M}" if each.last_seen_at else "never seen"
        click.echo(f"{each.name}  {', '.join(each.roles)}  {key}, {seen}")


@operator_commands.command("roles")
@click.argument("name")
@roles_option
@by_option
def set_roles(name: str, roles: Sequence[str], operator: str) -> None:
    """Give NAME these roles instead of those before, from the next request on."""

    async def change(parts: Parts) -> None:
        found = await parts.identity.operator_accounts.find(name)
        await parts.identity.operator_accounts.set_roles(
            found.operator_id, [OperatorRole(role) for role in roles], reason=BY_COMMAND, by=By.operator(operator),
            now=utc_now(),
        )  # fmt: skip

    with_parts(change)
    click.echo(f"{name} has the roles {', '.join(dict.fromkeys(roles))}.")


@operator_commands.command("disable")
@click.argument("name")
@by_option
def disable_operator(name: str, operator: str) -> None:
    """Let NAME be an operator no more, for ever: key, link and sessions are gone at once."""

    async def disable(parts: Parts) -> None:
        found = await parts.identity.operator_accounts.find(name)
        await parts.identity.operator_accounts.disable(
            found.operator_id, reason=BY_COMMAND, by=By.operator(operator), now=utc_now()
        )

    with_parts(disable)
    click.echo(f"{name} is disabled.")


def _address(parts: Parts, link: NewLink) -> str:
    """Return the link. After the # so that it reaches no server, no proxy and no log before the page sends it."""
    party = relying_party(parts.settings)
    if party is None:
        raise PasskeysUnavailable
    return f"{party.origin}/operator#enrol={link.token}"


def _print_link(name: str, address: str, *, now: datetime) -> None:
    until = now + ENROLMENT_TTL
    click.echo(
        f"{name} opens this link in the browser that holds (or can reach) the key, and registers a passkey:\n\n"
        f"  {address}\n\n"
        f"It works once, until {until:%H:%M} (UTC). Give it to nobody else: whoever opens it is {name}."
    )
