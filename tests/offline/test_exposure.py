"""The operator knows what it promised, and past its limit promises nothing new; what people hold stays good."""

from pathlib import Path

import msgspec
import pytest

from offline.closes import assert_books_are_right, online_of
from offline.conftest import OfflineParts, PhoneOf, let_claims_end
from offline.phone import read_document
from tikiwallet.identity.types import Tier
from tikiwallet.offline.exposure import Exposure, Exposures
from tikiwallet.offline.policy import read_policy
from tikiwallet.platform.config import ConfigError
from world import body_of, refusal


async def test_promises_are_added_up(phone_of: PhoneOf, offline_parts: OfflineParts) -> None:
    asha = await phone_of("asha", "50.00")
    await phone_of("shop", tier=Tier.TILL)
    measured = await offline_parts.offline.exposures.measure()
    assert measured == Exposure(
        cover_minor=20_00 + 500_00, guarantee_minor=0, early_release_minor=0, limit_minor=None
    )  # fmt: skip
    await asha.load("10.00")
    await asha.load("10.00")
    measured = await offline_parts.offline.exposures.measure()
    assert (measured.guarantee_minor, measured.early_release_minor) == (20_00, 20_00)
    assert (measured.total_minor, measured.is_paused) == (560_00, False)


async def test_past_the_limit_nothing_new_is_promised_and_the_rest_stays_good(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("20.00")
    ben.paid_by(asha, 1500)
    policy = msgspec.structs.replace(offline_parts.offline.policy, exposure_max_minor=79_99)
    limited = Exposures(offline_parts.offline._db, policy=policy)
    assert (await limited.measure()).is_paused
    answer = await asha.try_load("5.00")
    assert refusal(answer) == (503, "offline_paused")
    chi = await phone_of("chi")
    assert chi.certificate is not None
    assert chi.certificate.body.cover_budget == 0
    certificate = read_document((await ben.sync())["certificate"])
    assert certificate.body.cover_budget == 2000
    await let_claims_end(database_url)
    await offline_parts.offline.keep_up()
    assert await online_of(asha, ben) == (3500, 1500)
    assert not (await offline_parts.offline.exposures.measure()).is_paused
    body_of(await asha.try_load("5.00"), 201)
    await assert_books_are_right(database_url)


def test_the_limit_stands_at_the_head_of_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("exposure_max_minor = 100000\n[till]\nphones_max = 3\n")
    policy = read_policy(str(path), currency="SGD")
    assert (policy.exposure_max_minor, policy.tiers[Tier.TILL].phones_max) == (100000, 3)
    for wrong in ("-1", "1.5", "true", '"100"'):
        path.write_text(f"exposure_max_minor = {wrong}\n")
        with pytest.raises(ConfigError, match="exposure_max_minor"):
            read_policy(str(path), currency="SGD")
