"""Settings that contradict each other or can't be meant stop the start with one sentence that names the variable."""

from pathlib import Path

import msgspec
import pytest

from tikiwallet.platform.config import ConfigError, Settings, read_settings

ROOT = Path(__file__).parents[2]

WRONG = {
    "TIKIWALLET_LOG_LEVEL=loud": "TIKIWALLET_LOG_LEVEL must be debug, info, warning or error, not 'loud'.",
    "TIKIWALLET_PORT=99999": "TIKIWALLET_PORT must be from 0 to 65535.",
    "TIKIWALLET_PORT=http": "TIKIWALLET_PORT must be a whole number, not 'http'.",
    "TIKIWALLET_CURRENCIES=QQQ": "TIKIWALLET_CURRENCIES must be ISO 4217 codes of money with minor units, not 'QQQ'.",
    "TIKIWALLET_CURRENCIES=sgd": "TIKIWALLET_CURRENCIES must be ISO 4217 codes of money with minor units, not 'sgd'.",
    "TIKIWALLET_CURRENCIES=XAU": "TIKIWALLET_CURRENCIES must be ISO 4217 codes of money with minor units, not 'XAU'.",
    "TIKIWALLET_CURRENCIES=,": "TIKIWALLET_CURRENCIES must name at least one currency.",
    "TIKIWALLET_POOL_SIZE_MAX=0": "TIKIWALLET_POOL_SIZE_MAX must be from 1 to 1000.",
    "TIKIWALLET_WORKERS=0": "TIKIWALLET_WORKERS must be from 1 to 64.",
    "TIKIWALLET_WALLET_BALANCE_MAX_MINOR=0": "TIKIWALLET_WALLET_BALANCE_MAX_MINOR must be from 1 to 1000000000000000.",
    "TIKIWALLET_TLS_CERT=server.crt": ("TIKIWALLET_TLS_CERT and TIKIWALLET_TLS_KEY go together: give both or neither."),
    "TIKIWALLET_ORIGIN=http://wallet.example": (
        "TIKIWALLET_ORIGIN must be https:// and a name, as https://wallet.example (http:// for localhost only)."
    ),
    "TIKIWALLET_JOBS=maybe": "TIKIWALLET_JOBS must be yes or no, not 'maybe'.",
    "TIKIWALLET_DATA_DIR=": "TIKIWALLET_DATA_DIR must name a folder.",
    "REDIS_URL=localhost:6379": "REDIS_URL must begin with redis://, rediss:// or unix://.",
    "TIKIWALLET_TRUSTED_PROXIES=10.0.0.1/8": (
        "TIKIWALLET_TRUSTED_PROXIES must be addresses or networks (10.0.0.0/8), not '10.0.0.1/8'."
    ),
    "TIKIWALLET_SIGN_INS_PER_PHONE_MAX=0": "TIKIWALLET_SIGN_INS_PER_PHONE_MAX must be at least 1.",
    "DATABASE_URL=mysql://db/x": "DATABASE_URL must begin with postgresql:// or postgres://.",
    "DATABASE_URL=nonsense": "DATABASE_URL must begin with postgresql:// or postgres://.",
}


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_setting_is_one_sentence(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(ConfigError) as refused:
        read_settings({name: value})
    assert str(refused.value) == WRONG[setting]


def test_production_never_speaks_to_the_network_in_the_clear() -> None:
    production = {"TIKIWALLET_MODE": "production", "TIKIWALLET_SMS_SENDER": "file"}
    with pytest.raises(ConfigError) as refused:
        read_settings({**production, "TIKIWALLET_HOST": "0.0.0.0"})
    assert "TIKIWALLET_TLS_CERT" in str(refused.value)
    for way in (
        {"TIKIWALLET_HOST": "::1"}, {"TIKIWALLET_HOST": "localhost"},
        {"TIKIWALLET_HOST": "0.0.0.0", "TIKIWALLET_TLS_CERT": "a.crt", "TIKIWALLET_TLS_KEY": "a.key"},
        {"TIKIWALLET_HOST": "10.0.0.5", "TIKIWALLET_TRUSTED_PROXIES": "10.0.0.1"},
    ):  # fmt: skip
        assert read_settings({**production, **way}).is_production


@pytest.mark.parametrize(
    ("variable", "refused", "taken"),
    [
        ("DATABASE_URL", "postgresql://u:p@db.example/w", "postgresql://u:p@db.example/w?sslmode=verify-full"),
        ("DATABASE_URL", "postgresql://u:p@db.example/w?sslmode=require", "postgresql://u:p@127.0.0.1/w"),
        ("DATABASE_URL", "postgresql://u:p@/w?host=10.0.0.3", "postgresql://u:p@/w?host=/run/postgresql"),
        ("REDIS_URL", "redis://cache.example:6379", "rediss://cache.example:6379"),
        ("REDIS_URL", "redis://10.0.0.4", "redis://localhost:6379"),
    ],
)
def test_production_reaches_other_machines_by_checked_tls_only(variable: str, refused: str, taken: str) -> None:
    production = {"TIKIWALLET_MODE": "production", "TIKIWALLET_SMS_SENDER": "file"}
    with pytest.raises(ConfigError, match=variable):
        read_settings({**production, variable: refused})
    assert read_settings({**production, variable: taken}).is_production
    assert read_settings({variable: refused}).mode == "demo"


def test_without_an_environment_it_is_a_demonstration() -> None:
    assert read_settings({}) == Settings()
    assert not Settings().is_production


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    variables = {f"TIKIWALLET_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    variables = variables - {"TIKIWALLET_DATABASE_URL", "TIKIWALLET_REDIS_URL"} | {"DATABASE_URL", "REDIS_URL"}
    row = "`TIKIWALLET_PASSWORD_MEMORY_KIB`, `_PASSES`, `_LANES`"
    page = page.replace(
        row, "`TIKIWALLET_PASSWORD_MEMORY_KIB`, `TIKIWALLET_PASSWORD_PASSES`, `TIKIWALLET_PASSWORD_LANES`"
    )
    assert {variable for variable in variables if f"`{variable}`" not in page} == set()
