"""The operators' commands: `tikiwallet serve`, `migrate`, ... (people use `tiki`)."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import uuid4

import click

from tikiwallet.app import CONTEXTS, Parts, build_app
from tikiwallet.identity.operators import Change
from tikiwallet.identity.types import Person, Tier
from tikiwallet.platform import serving
from tikiwallet.platform.config import ConfigError, Settings, read_settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgresError
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.migrate import MigrationError, migrate
from tikiwallet.platform.serving import StartError
from tikiwallet.platform.telemetry import configure_logs

T = TypeVar("T")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tikiwallet")
def commands() -> None:
    """Run and look after a TikiWallet server. Settings come from the environment (docs/operating.md)."""


@commands.command()
def serve() -> None:
    """Serve the wallet: database, migrations, HTTP. Ctrl-C stops everything cleanly."""
    settings = _settings()
    listening = serving.listen(settings)
    with listening, serving.database(settings) as url, serving.database_errors(settings):
        asyncio.run(migrate(url, contexts=CONTEXTS))
        host, port = listening.getsockname()[:2]
        app = build_app(settings, database_url=url)
        click.echo(_welcome(settings, f"http://{host}:{port}"))
        serving.run(app, listening)
    click.echo("TikiWallet has stopped. Your data is kept.")


@commands.command("migrate")
def migrate_command() -> None:
    """Bring the database to this release's schema and stop."""
    settings = _settings()
    with serving.database(settings) as url, serving.database_errors(settings):
        ran = asyncio.run(migrate(url, contexts=CONTEXTS))
    click.echo(f"{ran} migrations ran." if ran else "The database is up to date.")


@commands.command()
@click.argument("who")
@click.argument("tier", type=click.Choice([tier.value for tier in Tier]))
@click.option("--by", "operator", default=getpass.getuser, show_default="you", help="Who decides this; it is recorded.")
def set_tier(who: str, tier: str, operator: str) -> None:
    """Give WHO (a username or phone number) a TIER, e.g. after seeing a document."""

    async def change(parts: Parts) -> Person:
        history = Change(change_id=uuid4(), changed_by=operator, changed_at=utc_now())
        return await parts.identity.operators.set_tier(who, Tier(tier), change=history)

    person = _with_parts(change)
    click.echo(f"{person.username} is now {person.tier.value}.")


def _with_parts(work: Callable[[Parts], Awaitable[T]]) -> T:
    """Run `work` on the wallet's parts, beside a running server or without one."""
    settings = _settings()

    async def run(url: str) -> T:
        parts = Parts(settings, database_url=url)
        await migrate(url, contexts=CONTEXTS)
        async with parts.open(now=utc_now()):
            return await work(parts)

    with serving.database(settings) as url, serving.database_errors(settings):
        return asyncio.run(run(url))


def _settings() -> Settings:
    settings = read_settings()
    configure_logs(settings.log_level)
    return settings


def _welcome(settings: Settings, address: str) -> str:
    money = "demo money" if not settings.is_production else "REAL MONEY"
    data = "the database of DATABASE_URL" if settings.database_url else f"{settings.data_dir.absolute()}"
    return (
        f"\n  TikiWallet is ready ({money}).\n\n"
        f"    Look here   {address}\n"
        f"    The API     {address}/openapi.json\n"
        f"    Data        {data}\n"
        "    Stop        Ctrl-C\n"
    )


def main() -> None:
    """Run a command; an expected failure is one sentence on standard error and exit code 1."""
    try:
        commands(prog_name="tikiwallet")
    except (ConfigError, StartError, EmbeddedPostgresError, MigrationError) as error:
        click.echo(f"tikiwallet: {error}", err=True)
        sys.exit(1)
    except Refused as refused:
        click.echo(f"tikiwallet: {refused.detail} ({refused.code})", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
