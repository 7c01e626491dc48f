"""Read the environment once, into one frozen struct that is passed down.

A contradiction stops the start: a production server that quietly ran the demo bank would give money away.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tikiwallet.platform.money import AMOUNT_MINOR_MAX, exponent

SESSION_TTL_SECONDS_MAX = 6 * 3600
SESSION_IDLE_SECONDS_MAX = 3600
# What argon2id costs somebody who guesses at a stolen table; production refuses less.
PASSWORD_MEMORY_KIB_MIN = 19 * 1024
PASSWORD_PASSES_MIN = 2
RECOVERY_SECONDS_MIN = 3600
RECOVERY_SECONDS_MAX = 30 * 24 * 3600
POOL_SIZE_MAX = 1000
WORKERS_MAX = 64
LOG_LEVELS = ("debug", "info", "warning", "error")
# What a browser calls the origin: lower case, no path, and a port only if it isn't the usual one.
ORIGIN = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?|http://localhost(:[0-9]{1,5})?")
TWILIO_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
TWILIO_AUTH_TOKEN = re.compile(r"[0-9a-f]{32}")
URLS_OF_OTHERS = {"database_url", "redis_url"}  # as everybody calls them
BPS = 10_000  # a whole in hundredths of a percent
COUNTRY = re.compile(r"[A-Z]{2}")
CODE_KEY = re.compile(r"([0-9a-f]{64})?")


class ConfigError(Exception):
    """The settings contradict each other or can't be read. The message is one sentence for the operator."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set. Each field is read from `TIKIWALLET_<FIELD>` except the two URLs."""

    mode: str = "demo"  # "demo" or "production"
    database_url: str = ""  # empty: the embedded PostgreSQL
    redis_url: str = ""  # where several processes count tries together; empty: each counts alone
    data_dir: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    origin: str = ""  # where browsers reach the wallet, as https://wallet.example; empty: localhost, in demo mode
    tls_cert: str = ""  # a PEM file with the certificate and those above it; empty: HTTP without TLS
    tls_key: str = ""  # the PEM file of its private key
    currencies: tuple[str, ...] = ("SGD",)  # the first is the default
    wallet_balance_max_minor: int = 10**15  # of one person in one currency, whatever the tier
    tier_limits: str = ""  # a TOML file that replaces numbers of the tiers; empty: the defaults
    new_payee_limits: tuple[str, ...] = ()  # as SGD=20000, in minor units: more to somebody new needs a fresh proof
    sms_sender: str = "console"  # "console", "file" or "twilio"
    twilio_account_sid: str = ""
    twilio_auth_token: str = ""
    twilio_sender: str = ""  # a number of yours (E.164), a name, or a messaging service (MG...)
    twilio_callback_url: str = ""  # https://wallet.example, where Twilio reaches us; empty: no reports of delivery
    twilio_api_url: str = "https://api.twilio.com"
    public_url: str = "http://127.0.0.1:8000"  # where people reach the wallet: who pays elsewhere comes back here
    bank: str = ""  # "demo", "stripe" or "none"; empty: Stripe with a key, else the demo bank, in production none
    stripe_api_key: str = ""  # the secret key
    stripe_publishable_key: str = ""  # what Stripe's own code in an app needs
    stripe_webhook_secrets: tuple[str, ...] = ()  # of the webhook; while one is replaced, both
    stripe_api_url: str = ""  # empty: Stripe; else a stand-in for it
    stripe_country: str = "SG"  # ISO 3166 alpha-2: where the people are whom Stripe pays
    top_up_min_minor: int = 2_00  # by a card; the provider has a minimum of its own
    withdrawal_fee_minor: int = 0  # by a provider, of each
    withdrawal_fee_bps: int = 0  # and of the amount, in hundredths of a percent
    phone_countries: tuple[str, ...] = ()  # ISO 3166 alpha-2; empty: any
    phone_country: str = ""  # ISO 3166 alpha-2: how a number without + is read; empty: it is refused
    code_key: str = ""  # 64 hex digits, the key of one-time code hashes; empty: kept in `data_dir`
    password_memory_kib: int = PASSWORD_MEMORY_KIB_MIN  # argon2id, for each hash
    password_passes: int = PASSWORD_PASSES_MIN
    password_lanes: int = 1
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose X-Forwarded-For is believed
    sign_ins_per_phone_max: int = 20  # in a quarter of an hour
    sign_ins_per_address_max: int = 1000  # in a quarter of an hour; many people share one address of a carrier
    sign_ups_per_phone_max: int = 5  # in an hour
    sign_ups_per_address_max: int = 500  # in an hour
    codes_per_address_max: int = 2000  # sent again or tried, in a quarter of an hour
    texts_per_phone_max: int = 15  # messages of any sort, in an hour
    texts_per_prefix_max: int = 100  # to numbers that differ in the last four digits only, in an hour
    texts_per_country_max: int = 5000  # in a day
    texts_per_hour_max: int = 1000  # everybody's together; past it no code is sent for what is left of the hour
    texts_per_day_max: int = 10_000
    orders_per_person_max: int = 600  # about money, in a minute and process
    recovery_wait_seconds: int = 24 * 3600  # between a code and the new password, or the new phone without the old one
    outgoing_cap_seconds: int = 24 * 3600  # after either, for how long little money leaves the wallet
    outgoing_caps: tuple[str, ...] = ()  # as SGD=10000, in minor units a day
    session_ttl_seconds: int = SESSION_TTL_SECONDS_MAX
    session_idle_seconds: int = SESSION_IDLE_SECONDS_MAX  # of a session that nobody uses
    access_token_seconds: int = 600  # then a client refreshes it
    log_level: str = "info"  # one of LOG_LEVELS
    metrics_host: str = "127.0.0.1"  # they tell how the business stands
    metrics_port: int = 0  # 0: no metrics
    workers: int = 1  # processes that serve on the port
    jobs: bool = True  # run the job workers in this process
    offline_keys_dir: str = ""  # where the offline issuer's key files are; empty: <data_dir>/keys
    offline_policy: str = ""  # a TOML file that replaces numbers of the offline tiers; empty: the design's table
    pool_size_max: int = 8  # connections per context and process

    @property
    def is_production(self) -> bool:
        """Whether real money is at stake: demo adapters are refused."""
        return self.mode == "production"

    @property
    def bank_name(self) -> str:
        """How money comes in and goes out: "demo", "stripe" or "none"."""
        if self.bank:
            return self.bank
        return "stripe" if self.stripe_api_key else "none" if self.is_production else "demo"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (default: the process environment).

    Raises `ConfigError` naming the variable at fault.
    """
    env = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name, kind in Settings.__annotations__.items():
        variable = name.upper() if name in URLS_OF_OTHERS else f"TIKIWALLET_{name.upper()}"
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
        if not text:
            raise ConfigError(f"{variable} must name a folder.")
        return Path(text)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _check(settings: Settings) -> None:
    _check_words(settings)
    _check_network(settings)
    _check_numbers(settings)
    _check_recovery(settings)
    if settings.sms_sender == "twilio":
        _check_twilio(settings)
    if settings.is_production and settings.sms_sender == "console":
        raise ConfigError("TIKIWALLET_SMS_SENDER=console prints one-time codes; production needs another sender.")
    if settings.is_production and (
        settings.password_memory_kib < PASSWORD_MEMORY_KIB_MIN or settings.password_passes < PASSWORD_PASSES_MIN
    ):
        raise ConfigError(
            f"Production needs TIKIWALLET_PASSWORD_MEMORY_KIB >= {PASSWORD_MEMORY_KIB_MIN} and "
            f"TIKIWALLET_PASSWORD_PASSES >= {PASSWORD_PASSES_MIN}."
        )


def _check_words(settings: Settings) -> None:
    if settings.mode not in {"demo", "production"}:
        raise ConfigError(f"TIKIWALLET_MODE must be demo or production, not {settings.mode!r}.")
    if settings.sms_sender not in {"console", "file", "twilio"}:
        raise ConfigError(f"TIKIWALLET_SMS_SENDER must be console, file or twilio, not {settings.sms_sender!r}.")
    if settings.bank not in {"", "demo", "stripe", "none"}:
        raise ConfigError(f"TIKIWALLET_BANK must be demo, stripe or none, not {settings.bank!r}.")
    if settings.bank_name == "stripe":
        _check_stripe(settings)
    if settings.log_level not in LOG_LEVELS:
        raise ConfigError(f"TIKIWALLET_LOG_LEVEL must be debug, info, warning or error, not {settings.log_level!r}.")
    if not settings.currencies:
        raise ConfigError("TIKIWALLET_CURRENCIES must name at least one currency.")
    for currency in settings.currencies:
        try:
            exponent(currency)
        except ValueError as error:
            raise ConfigError(
                f"TIKIWALLET_CURRENCIES must be ISO 4217 codes of money with minor units, not {currency!r}."
            ) from error
    if not CODE_KEY.fullmatch(settings.code_key):
        raise ConfigError("TIKIWALLET_CODE_KEY must be 64 lower-case hex digits.")


def _check_stripe(settings: Settings) -> None:
    if not settings.stripe_api_key or not settings.stripe_webhook_secrets:
        raise ConfigError("Stripe needs TIKIWALLET_STRIPE_API_KEY and TIKIWALLET_STRIPE_WEBHOOK_SECRETS.")
    if settings.is_production and settings.stripe_api_url:
        raise ConfigError("TIKIWALLET_STRIPE_API_URL is for a stand-in, whose money doesn't exist; not in production.")
    if settings.is_production and not settings.stripe_api_key.startswith(("sk_live_", "rk_live_")):
        raise ConfigError(
            "TIKIWALLET_STRIPE_API_KEY is a test key, whose money doesn't exist; production needs a live one."
        )
    if settings.is_production and not settings.public_url.startswith("https://"):
        raise ConfigError("TIKIWALLET_PUBLIC_URL must begin with https:// in production.")
    if not COUNTRY.fullmatch(settings.stripe_country):
        raise ConfigError("TIKIWALLET_STRIPE_COUNTRY must be two capital letters, as SG.")
    if settings.top_up_min_minor < 1 or settings.withdrawal_fee_bps >= BPS:
        raise ConfigError(
            f"TIKIWALLET_TOP_UP_MIN_MINOR must be at least 1 and TIKIWALLET_WITHDRAWAL_FEE_BPS below {BPS}."
        )


def _check_network(settings: Settings) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise ConfigError("TIKIWALLET_TLS_CERT and TIKIWALLET_TLS_KEY go together: give both or neither.")
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "postgres://")):
        raise ConfigError("DATABASE_URL must begin with postgresql:// or postgres://.")
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("REDIS_URL must begin with redis://, rediss:// or unix://.")
    if settings.origin and not ORIGIN.fullmatch(settings.origin):
        raise ConfigError(
            "TIKIWALLET_ORIGIN must be https:// and a name, as https://wallet.example (http:// for localhost only)."
        )
    if settings.is_production and not (settings.tls_cert or settings.trusted_proxies or _is_loopback(settings.host)):
        raise ConfigError(
            f"Production on {settings.host} needs TIKIWALLET_TLS_CERT, or TIKIWALLET_TRUSTED_PROXIES in front that "
            "speak HTTPS: nothing may come over the network in the clear."
        )
    if settings.is_production:
        _check_backends(settings)
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ConfigError(
                f"TIKIWALLET_TRUSTED_PROXIES must be addresses or networks (10.0.0.0/8), not {proxy!r}."
            ) from error


def _check_recovery(settings: Settings) -> None:
    seconds = (settings.recovery_wait_seconds, settings.outgoing_cap_seconds)
    if settings.is_production and min(seconds) < RECOVERY_SECONDS_MIN:
        raise ConfigError(
            "Production needs TIKIWALLET_RECOVERY_WAIT_SECONDS and TIKIWALLET_OUTGOING_CAP_SECONDS >= "
            f"{RECOVERY_SECONDS_MIN}: whoever took over a phone number would have the wallet at once."
        )
    if max(seconds) > RECOVERY_SECONDS_MAX:
        raise ConfigError(
            "TIKIWALLET_RECOVERY_WAIT_SECONDS and TIKIWALLET_OUTGOING_CAP_SECONDS must be at most "
            f"{RECOVERY_SECONDS_MAX}."
        )


def _check_twilio(settings: Settings) -> None:
    if not TWILIO_ACCOUNT_SID.fullmatch(settings.twilio_account_sid):
        raise ConfigError("TIKIWALLET_TWILIO_ACCOUNT_SID must be AC and 32 hex digits.")
    if not TWILIO_AUTH_TOKEN.fullmatch(settings.twilio_auth_token):
        raise ConfigError("TIKIWALLET_TWILIO_AUTH_TOKEN must be 32 hex digits.")  # never printed
    if not settings.twilio_sender:
        raise ConfigError("TIKIWALLET_TWILIO_SENDER must be a number (+65...), a name or a messaging service (MG...).")
    for name in ("twilio_callback_url", "twilio_api_url"):
        url = urlsplit(getattr(settings, name))
        # To this machine without TLS, for a stand-in; to anybody else the token would travel in the clear.
        is_safe = url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname or ""))
        if getattr(settings, name) and (not is_safe or not url.hostname or url.path or url.query or url.fragment):
            raise ConfigError(f"TIKIWALLET_{name.upper()} must be https:// and a host, without a path.")
    if not settings.twilio_api_url:
        raise ConfigError("TIKIWALLET_TWILIO_API_URL must not be empty.")


def _check_backends(settings: Settings) -> None:
    """In production nothing goes to another machine in the clear, or to a machine that can't prove which one it is."""
    database = urlsplit(settings.database_url)
    options = dict(parse_qsl(database.query))
    host = options.get("host") or database.hostname or ""
    if host and not host.startswith("/") and not _is_loopback(host) and options.get("sslmode") != "verify-full":
        raise ConfigError("In production DATABASE_URL of another machine needs sslmode=verify-full.")
    redis = urlsplit(settings.redis_url)
    if redis.scheme == "redis" and not _is_loopback(redis.hostname or "localhost"):
        raise ConfigError("In production REDIS_URL of another machine must begin with rediss://.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_numbers(settings: Settings) -> None:
    for name in Settings.__struct_fields__:
        if "_per_" in name and name.endswith("_max") and getattr(settings, name) < 1:
            raise ConfigError(f"TIKIWALLET_{name.upper()} must be at least 1.")
    if not 1 <= settings.session_ttl_seconds <= SESSION_TTL_SECONDS_MAX:
        raise ConfigError(f"TIKIWALLET_SESSION_TTL_SECONDS must be from 1 to {SESSION_TTL_SECONDS_MAX}.")
    if not 600 <= settings.session_idle_seconds <= SESSION_IDLE_SECONDS_MAX:  # what "seen" is behind has room in it
        raise ConfigError(f"TIKIWALLET_SESSION_IDLE_SECONDS must be from 600 to {SESSION_IDLE_SECONDS_MAX}.")
    if not 60 <= settings.access_token_seconds <= SESSION_TTL_SECONDS_MAX:
        raise ConfigError(f"TIKIWALLET_ACCESS_TOKEN_SECONDS must be from 60 to {SESSION_TTL_SECONDS_MAX}.")
    if (
        settings.password_lanes < 1
        or settings.password_passes < 1
        or (settings.password_memory_kib < 8 * settings.password_lanes)
    ):
        raise ConfigError(
            "argon2id needs at least one pass, one lane and 8 KiB of TIKIWALLET_PASSWORD_MEMORY_KIB a lane."
        )
    if not 0 <= settings.port <= 65535:
        raise ConfigError("TIKIWALLET_PORT must be from 0 to 65535.")
    if not 0 <= settings.metrics_port <= 65535:
        raise ConfigError("TIKIWALLET_METRICS_PORT must be from 1 to 65535, or 0 for none.")
    if not 1 <= settings.workers <= WORKERS_MAX:
        raise ConfigError(f"TIKIWALLET_WORKERS must be from 1 to {WORKERS_MAX}.")
    if not 1 <= settings.pool_size_max <= POOL_SIZE_MAX:
        raise ConfigError(f"TIKIWALLET_POOL_SIZE_MAX must be from 1 to {POOL_SIZE_MAX}.")
    if not 1 <= settings.wallet_balance_max_minor <= AMOUNT_MINOR_MAX:
        raise ConfigError(f"TIKIWALLET_WALLET_BALANCE_MAX_MINOR must be from 1 to {AMOUNT_MINOR_MAX}.")
