"""Read the environment once, into one frozen struct that is passed down.

A contradiction stops the start: a production server that quietly ran the demo bank would give money away.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

SESSION_TTL_SECONDS_MAX = 6 * 3600


class ConfigError(Exception):
    """The settings contradict each other or can't be read. The message is one sentence for the operator."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set. Each field is read from `TIKIWALLET_<FIELD>` except `database_url`."""

    mode: str = "demo"  # "demo" or "production"
    database_url: str = ""  # empty: the embedded PostgreSQL
    data_dir: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    currencies: tuple[str, ...] = ("SGD",)  # the first is the default
    sms_sender: str = "console"  # "console" or "file"
    phone_countries: tuple[str, ...] = ()  # ISO 3166 alpha-2; empty: any
    session_ttl_seconds: int = SESSION_TTL_SECONDS_MAX
    log_level: str = "info"
    jobs: bool = True  # run the job workers in this process
    offline_keys_dir: str = ""  # where the offline issuer's key files are; empty: <data_dir>/keys
    offline_policy: str = ""  # a TOML file that replaces numbers of the offline tiers; empty: the design's table
    pool_size_max: int = 8  # connections per context and process

    @property
    def is_production(self) -> bool:
        """Whether real money is at stake: demo adapters are refused."""
        return self.mode == "production"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process environment).

    Raises `ConfigError` naming the variable at fault.
    """
    env = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name, kind in Settings.__annotations__.items():
        variable = "DATABASE_URL" if name == "database_url" else f"TIKIWALLET_{name.upper()}"
        if (text := env.get(variable)) is not None:
            values[name] = _parse(variable, text, kind)
    settings = msgspec.convert(values, Settings)
    _check(settings)
    return settings


def _parse(variable: str, text: str, kind: object) -> object:
    if kind is int:
        if not text.isdecimal():
            raise ConfigError(f"{variable} must be a whole number, not {text!r}.")
        return int(text)
    if kind is bool:
        if text not in {"yes", "no"}:
            raise ConfigError(f"{variable} must be yes or no, not {text!r}.")
        return text == "yes"
    if kind is Path:
        return Path(text)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _check(settings: Settings) -> None:
    if settings.mode not in {"demo", "production"}:
        raise ConfigError(f"TIKIWALLET_MODE must be demo or production, not {settings.mode!r}.")
    if settings.sms_sender not in {"console", "file"}:
        raise ConfigError(f"TIKIWALLET_SMS_SENDER must be console or file, not {settings.sms_sender!r}.")
    if settings.is_production and settings.sms_sender == "console":
        raise ConfigError("TIKIWALLET_SMS_SENDER=console prints one-time codes; production needs another sender.")
    if not settings.currencies:
        raise ConfigError("TIKIWALLET_CURRENCIES must name at least one currency.")
    if not 1 <= settings.session_ttl_seconds <= SESSION_TTL_SECONDS_MAX:
        raise ConfigError(f"TIKIWALLET_SESSION_TTL_SECONDS must be from 1 to {SESSION_TTL_SECONDS_MAX}.")
    if not 0 <= settings.port <= 65535:
        raise ConfigError("TIKIWALLET_PORT must be from 0 to 65535.")
