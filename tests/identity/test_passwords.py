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
    PasswordRefused,
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


@pytest.mark.parametrize(
    "password", ["password1", "PassWord1", "qwertyuiop", "iloveyou1", "TikiWallet2026!", "my tiki wallet", "123456789"]
)
def test_what_leaked_from_others_or_names_this_wallet_is_refused_with_the_reason(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(password, username="asha", phone="+6591110001")
    assert "Many people use this" in refused.value.detail or "wallet's name" in refused.value.detail


def test_every_leaked_password_of_the_list_is_refused_and_they_are_more_than_3000() -> None:
    assert len(COMMON) > 3000
    for password in COMMON:
        with pytest.raises(PasswordRefused):
            check_password(password.upper(), username="asha", phone="+6591110001")


def test_a_long_password_is_kept_whole_and_in_its_case() -> None:
    for password in ("x7" * 32 + "abc", "é" * 60 + "abcd", " seven  green umbrellas "):
        check_password(password, username="asha", phone="+6591110001")


async def test_no_character_of_a_password_is_dropped_or_changed() -> None:
    hasher = weak_hasher()
    long = "Seven Green Umbrellas " * 5 + "x"
    password_hash = await hasher.hash(long)
    assert await hasher.matches(long, password_hash)
    for other in (long[:-1], long + " ", long.lower(), long.strip() + "y", long[:72], long[:64]):
        assert not await hasher.matches(other, password_hash)


def test_common_passwords_are_lower_case_and_long_enough_to_matter() -> None:
    assert all(word == word.casefold() and len(word) >= LENGTH_MIN for word in COMMON)


async def test_letters_of_one_meaning_are_one_password_and_older_hashes_still_match() -> None:
    hasher = weak_hasher()
    password_hash = await hasher.hash("of\ufb01ce \uff17 umbrellas")
    assert await hasher.matches("office 7 umbrellas", password_hash)
    before = hasher._argon2.hash("of\ufb01ce \uff17 umbrellas".encode())  # as the release before wrote it
    assert await hasher.matches("of\ufb01ce \uff17 umbrellas", before)
    assert not await hasher.matches("office 7 umbrellas", before)


async def test_a_long_password_counts_to_its_last_letter() -> None:
    hasher = weak_hasher()
    password = "ab cd" * 25 + "end"
    check_password(password, username="asha", phone="+6591234567")
    password_hash = await hasher.hash(password)
    assert await hasher.matches(password, password_hash)
    assert not await hasher.matches(password[:-1] + "t", password_hash)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("seven77", "A password has 8 to 128 characters."), ("x y z 1 " * 17, "A password has 8 to 128 characters."),
        ("password1", "Many people use this password; choose another one."),
        ("my TikiWallet 7", "A password must not contain the wallet's name."),
        ("it is asha herself", "A password must not contain the username."),
        ("call 91234567 now", "A password must not contain the phone number."),
    ],
)  # fmt: skip
def test_a_refusal_says_why(password: str, why: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(password, username="asha", phone="+6591234567")
    assert refused.value.detail == why
