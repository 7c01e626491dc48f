"""The wallet as a test sees it: the real application on a real database, spoken to over HTTP."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from litestar.testing import AsyncTestClient

from tikiwallet.app import build_app
from tikiwallet.platform.config import Settings, read_settings


def settings_for_tests(data_dir: Path, **changes: object) -> Settings:
    """Return demo settings whose text messages go to files below `data_dir`."""
    settings = read_settings({"TIKIWALLET_SMS_SENDER": "file", "TIKIWALLET_DATA_DIR": str(data_dir)})
    return msgspec.structs.replace(settings, **changes)


class World:
    """One running wallet."""

    def __init__(self, http: AsyncTestClient) -> None:  # type: ignore[type-arg]
        self.http = http


@contextlib.asynccontextmanager
async def open_world(database_url: str, data_dir: Path, **changes: object) -> AsyncIterator[World]:
    """Start the wallet on `database_url`; `changes` replace settings."""
    app = build_app(settings_for_tests(data_dir, **changes), database_url=database_url)
    async with AsyncTestClient(app, raise_server_exceptions=False) as http:
        yield World(http)
