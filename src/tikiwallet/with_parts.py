"""What the operators' commands need: the settings of the environment, and the wallet's parts on its database."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tikiwallet.app import CONTEXTS, Parts
from tikiwallet.platform import serving
from tikiwallet.platform.config import ConfigError, Settings, read_settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgresError
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.migrate import MigrationError, migrate
from tikiwallet.platform.serving import StartError
from tikiwallet.platform.telemetry import configure_logs

T = TypeVar("T")
CANNOT_START = (ConfigError, StartError, EmbeddedPostgresError, MigrationError)  # each is one sentence


def with_parts(work: Callable[[Parts], Awaitable[T]]) -> T:
    """Run `work` on the wallet's parts, beside a running server or without one."""
    settings = settings_of_the_environment()

    async def run(url: str) -> T:
        parts = Parts(settings, database_url=url)
        await migrate(url, contexts=CONTEXTS)
        async with parts.open(now=utc_now()):
            return await work(parts)

    with serving.database(settings) as url, serving.database_errors(settings):
        return asyncio.run(run(url))


def settings_of_the_environment(**given: str | None) -> Settings:
    """Return the settings of the environment, and of what was `given` on the command line before it."""
    settings = read_settings({**os.environ, **{name: value for name, value in given.items() if value is not None}})
    configure_logs(settings.log_level)
    return settings
