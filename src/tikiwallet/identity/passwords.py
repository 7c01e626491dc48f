"""Passwords: which are accepted, and how they are kept (argon2id) without letting sign-ins exhaust the machine.

One hash takes 19 MiB and tens of milliseconds on purpose. Unbounded, a hundred people signing in at once would take
the memory and the processors from everybody who is paying.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from importlib import resources
from typing import TypeVar

import argon2
from argon2.exceptions import VerifyMismatchError

from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Overloaded

LENGTH_MIN = 8
LENGTH_MAX = 128
DIFFERENT_CHARACTERS_MIN = 4
HASHES_AT_ONCE = 2
WAITING_MAX = 64  # at 30 ms each and two at once, the last one waits about a second

T = TypeVar("T")

# What people use here because it is this wallet. Everything is compared in lower case.
WORDS_OF_THE_WALLET = ("tikiwallet", "tiki wallet", "tiki-wallet", "tiki_wallet", "tikicash")
# Leaked passwords, as far as they are long enough to be accepted at all; from where: common_passwords.license.txt.
COMMON = frozenset(resources.files("tikiwallet.identity").joinpath("common_passwords.txt").read_text().split())


class PasswordRefused(Refused):
    """Choose another password: 8 to 128 characters that other people won't guess."""

    code, kind = "password_refused", Kind.UNPROCESSABLE


def check_password(password: str, *, phone: str, username: str | None) -> None:
    """Refuse (`PasswordRefused`) a password that is too short, too long or easily guessed by who knows the person.

    `phone` is E.164, `username` None where it isn't proven yet whose it is. There are no rules of composition: they
    make passwords worse (NIST SP 800-63B-4, section 3.1.1.2). Eight characters are enough because a password alone
    opens no session on a device that wasn't seen before.
    """
    text = unicodedata.normalize("NFKC", password)
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
        raise PasswordRefused(f"A password has {LENGTH_MIN} to {LENGTH_MAX} characters.", field="password")
    folded = text.casefold()
    if folded in COMMON or len(set(folded)) < DIFFERENT_CHARACTERS_MIN:
        raise PasswordRefused("Many people use this password; choose another one.", field="password")
    if any(word in folded for word in WORDS_OF_THE_WALLET):
        raise PasswordRefused("A password must not contain the wallet's name.", field="password")
    if username is not None and username.casefold() in folded:
        raise PasswordRefused("A password must not contain the username.", field="password")
    if phone[-LENGTH_MIN:] in folded:
        raise PasswordRefused("A password must not contain the phone number.", field="password")


class PasswordHasher:
    """Argon2id in threads, `HASHES_AT_ONCE` at a time. Memory is KiB for each hash, `passes` and `lanes` are counts."""

    def __init__(self, *, memory_kib: int, passes: int, lanes: int) -> None:
        self._argon2 = argon2.PasswordHasher(
            memory_cost=memory_kib, time_cost=passes, parallelism=lanes, type=argon2.Type.ID
        )
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        # What a password is compared with when nobody has the phone: the answer must take as long.
        self._hash_of_nobody = self._argon2.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Return the argon2id hash, with its salt and parameters. Refusal: `Overloaded` when too many wait."""
        return await self._in_thread(lambda: self._argon2.hash(_bytes(password)))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Tell whether `password` made `password_hash`; None (nobody) costs as much and is never true.

        Refusal: `Overloaded` when too many wait.
        """
        matched = await self._in_thread(lambda: self._verify(password, password_hash or self._hash_of_nobody))
        return matched and password_hash is not None

    def _verify(self, password: str, password_hash: str) -> bool:
        # One that was set when only equal letters were made equal, and not letters of equal meaning (ﬁ and fi).
        as_before = unicodedata.normalize("NFC", password).encode()
        return any(self._is(password_hash, text) for text in dict.fromkeys((_bytes(password), as_before)))

    def _is(self, password_hash: str, text: bytes) -> bool:
        try:
            return self._argon2.verify(password_hash, text)
        except VerifyMismatchError:
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise Overloaded(retry_after_seconds=1)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    # The same letters can reach us in two forms (é as one character or two), depending on the keyboard.
    return unicodedata.normalize("NFKC", password).encode()
