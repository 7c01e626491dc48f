"""Passwords are kept so that a stolen table is worth little, and checked without letting anybody exhaust us."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.identity.passwords import (
    COMMON,
    HASHES_AT_ONCE,
    LENGTH_MAX,
    LENGTH_MIN,
    WAITING_MAX,
    PasswordHasher,
    check_password,
)
from tikiwallet.platform.config import ConfigError, Settings, read_settings
from tikiwallet.platform.http import Overloaded

PRODUCTION = {"TIKIWALLET_MODE": "production", "TIKIWALLET_SMS_SENDER": "file"}


def weak_hasher() -> PasswordHasher:
    return PasswordHasher(memory_kib=8, passes=1, lanes=1)


def production_hasher() -> PasswordHasher:
    settings = Settings()
    return PasswordHasher(
        memory_kib=settings.password_memory_kib, passes=settings.password_passes, lanes=settings.password_lanes
    )


async def test_the_default_is_argon2id_with_19_mib_two_passes_and_one_lane() -> None:
    password_hash = await production_hasher().hash("seven green umbrellas")
    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("weaker", ["TIKIWALLET_PASSWORD_MEMORY_KIB=19455", "TIKIWALLET_PASSWORD_PASSES=1"])
def test_production_refuses_weaker_hashes(weaker: str) -> None:
    name, _, value = weaker.partition("=")
    with pytest.raises(ConfigError, match="Production needs TIKIWALLET_PASSWORD_MEMORY_KIB >= 19456"):
        read_settings({**PRODUCTION, name: value})
    assert read_settings({name: value}).mode == "demo"


@pytest.mark.parametrize(
    "setting", ["PASSWORD_MEMORY_KIB=7", "PASSWORD_PASSES=0", "PASSWORD_LANES=0", "PASSWORD_LANES=9999"]
)
def test_hashes_that_argon2_cannot_make_stop_the_start(setting: str) -> None:
    name, _, value = setting.partition("=")
    with pytest.raises(ConfigError, match="argon2id needs"):
        read_settings({f"TIKIWALLET_{name}": value})


async def test_a_hash_is_matched_by_its_own_password_only() -> None:
    hasher = weak_hasher()
    password_hash = await hasher.hash("seven green umbrellas")
    assert await hasher.matches("seven green umbrellas", password_hash)
    assert not await hasher.matches("seven green umbrella", password_hash)
    assert await hasher.hash("seven green umbrellas") != password_hash  # salted


async def test_nobody_has_no_password() -> None:
    assert not await weak_hasher().matches("nobody has this password", None)


async def test_looking_for_nobody_costs_as_much_as_a_wrong_password() -> None:
    hasher = production_hasher()
    password_hash = await hasher.hash("seven green umbrellas")

    async def cost_seconds(stored: str | None) -> float:
        before_seconds = time.process_time()
        assert not await hasher.matches("wrong", stored)
        return time.process_time() - before_seconds

    of_somebody = min([await cost_seconds(password_hash) for _ in range(5)])
    of_nobody = min([await cost_seconds(None) for _ in range(5)])
    assert 0.5 < of_nobody / of_somebody < 2


async def test_a_crowd_is_turned_away_instead_of_taking_all_memory() -> None:
    hasher = weak_hasher()
    answers = await asyncio.gather(*(hasher.hash("x") for _ in range(WAITING_MAX + 10)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 10
    assert all(isinstance(answer, Overloaded) and answer.retry_after_seconds == 1 for answer in refused)
    assert await hasher.hash("x")  # and when the crowd is gone, the next one is served
    assert HASHES_AT_ONCE == 2


@given(st.lists(st.characters(codec="ascii"), min_size=LENGTH_MIN, max_size=LENGTH_MAX, unique_by=str.casefold))
def test_there_are_no_rules_of_composition(characters: list[str]) -> None:
    password = "".join(characters)
    if password.casefold() not in COMMON:
        check_password(password, username="username_of_asha", phone="+6591110001")


def test_common_passwords_are_lower_case_and_long_enough_to_matter() -> None:
    assert all(word == word.casefold() and len(word) >= LENGTH_MIN for word in COMMON)
