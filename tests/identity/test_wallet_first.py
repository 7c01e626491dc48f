"""Nobody exists without a wallet: it is prepared before the person, and preparing it again is the same."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tikiwallet.identity.codes import CodeAttemptsUsedUp, CodeUsed
from tikiwallet.identity.registration import NewRegistration
from tikiwallet.identity.service import Identity
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Database
from tikiwallet.platform.http import Overloaded, utc_now
from world import PASSWORD, a_session, settings_for_tests


class Wallets:
    """The context that keeps accounts, reachable or not."""

    def __init__(self) -> None:
        self.reachable = True
        self.prepared: list[PersonId] = []

    async def prepare(self, person_id: PersonId) -> None:
        self.prepared.append(person_id)
        if not self.reachable:
            raise Overloaded(retry_after_seconds=1)


async def nobody_asks(*_: object) -> Any:
    raise AssertionError("nobody leaves here")


@pytest.fixture
def wallets() -> Wallets:
    return Wallets()


@pytest.fixture
async def identity(database_url: str, data_dir: Path, wallets: Wallets) -> AsyncIterator[Identity]:
    database = Database(database_url, context="identity", size_max=4)
    identity = Identity(
        database, settings_for_tests(data_dir), prepare_wallet=wallets.prepare, find_obstacles=nobody_asks,
        close_accounts=nobody_asks, export_parts=nobody_asks,
    )  # fmt: skip
    await database.open()
    await identity.start(now=utc_now())
    yield identity
    await database.close()


async def begin(identity: Identity) -> NewRegistration:
    new = NewRegistration(uuid4(), PersonId(uuid4()), "123456")
    await identity.registrations.register(new, phone="+6591110001", username="asha", password=PASSWORD, now=utc_now())
    return new


async def test_without_a_wallet_there_is_no_person_and_the_code_still_works(
    identity: Identity, wallets: Wallets
) -> None:
    new = await begin(identity)
    wallets.reachable = False
    with pytest.raises(Overloaded):
        await identity.registrations.verify(new.registration_id, a_session(), code=new.code, now=utc_now())
    assert await identity.people.person(new.person_id) is None
    wallets.reachable = True
    session = await identity.registrations.verify(new.registration_id, a_session(), code=new.code, now=utc_now())
    assert session.person.person_id == new.person_id
    assert wallets.prepared == [new.person_id, new.person_id]  # the same wallet both times
    with pytest.raises(CodeUsed):
        await identity.registrations.verify(new.registration_id, a_session(), code=new.code, now=utc_now())
    assert len(wallets.prepared) == 2


async def test_tries_stay_bounded_while_wallets_cannot_be_prepared(identity: Identity, wallets: Wallets) -> None:
    new = await begin(identity)
    wallets.reachable = False
    for _ in range(5):
        with pytest.raises(Overloaded):
            await identity.registrations.verify(new.registration_id, a_session(), code=new.code, now=utc_now())
    with pytest.raises(CodeAttemptsUsedUp):
        await identity.registrations.verify(new.registration_id, a_session(), code=new.code, now=utc_now())


async def test_a_wrong_code_prepares_nothing(identity: Identity, wallets: Wallets) -> None:
    new = await begin(identity)
    with pytest.raises(Exception, match="isn't the code"):
        await identity.registrations.verify(new.registration_id, a_session(), code="654321", now=utc_now())
    assert wallets.prepared == []
