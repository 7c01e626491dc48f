"""The operators' commands: `tikiwallet serve`, `migrate`, ... (people use `tiki`)."""

import asyncio
import sys

import click

from tikiwallet.app import CONTEXTS, build_app
from tikiwallet.platform import serving
from tikiwallet.platform.config import ConfigError, Settings, read_settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgresError
from tikiwallet.platform.migrate import MigrationError, migrate
from tikiwallet.platform.serving import StartError
from tikiwallet.platform.telemetry import configure_logs


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


if __name__ == "__main__":
    main()
