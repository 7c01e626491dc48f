"""Nothing is kept of a payment or a voucher that isn't there, and neither ever goes away."""

import asyncpg
import pytest

from offline.conftest import PhoneOf, run_sql


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            (
                "INSERT INTO offline.piece "
                "SELECT sha256('nothing'), 1, voucher_id, document_id, '[1,2)' FROM offline.voucher"
            ),
            "piece_of_kept",
        ),
        (
            (
                "INSERT INTO offline.piece "
                "SELECT document_id, 9, gen_random_uuid(), document_id, '[1,2)' FROM offline.payment"
            ),
            "piece_of_kept",
        ),
        ("INSERT INTO offline.submission VALUES (sha256('nothing'), gen_random_uuid())", "submission_of_kept"),
        ("DELETE FROM offline.payment", "kept_for_ever"),
        ("DELETE FROM offline.voucher", "kept_for_ever"),
        ("TRUNCATE offline.payment CASCADE", "kept_for_ever"),
        ("UPDATE offline.payment SET document_id = sha256('other')", "name_for_ever"),
        ("UPDATE offline.voucher SET voucher_id = gen_random_uuid()", "name_for_ever"),
    ],
)
async def test_what_others_refer_to_is_there_and_stays(
    phone_of: PhoneOf, database_url: str, statement: str, constraint: str
) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 100)
    await ben.sync()
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await run_sql(database_url, statement)
    assert refused.value.constraint_name == constraint
