"""Our books against the world: what agrees, what is missing on either side, and whether enough is held."""

import csv
import functools
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import structlog
from click.testing import CliRunner

from tikiwallet.__main__ import commands
from tikiwallet.funding.bank_statement import BankStatementInvalid, read_bank_statement
from tikiwallet.funding.reconciliation import BankReconciliation, Entry, Finding, compare
from tikiwallet.funding.reconciliation_report import as_csv, as_svg, as_text
from tikiwallet.funding.service import Funding
from tikiwallet.platform.csv_cells import cell
from tikiwallet.platform.money import Balance
from world import World, body_of

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
SINCE = NOW - timedelta(days=35)
BANK_LINES = "date,amount,currency,reference\n"


class Told:
    """A provider that tells what a test says."""

    def __init__(self, *entries: Entry, held: int = 0) -> None:
        self._entries, self._held = entries, held

    async def entries(self, *, since: datetime) -> list[Entry]:
        return [entry for entry in self._entries if entry.at >= since]

    async def held(self) -> list[Balance]:
        return [Balance(amount_minor=self._held, currency="SGD")]


def entry(subject: str, amount_minor: int, *, days: float = 0, kind: str = "charge", now: datetime = NOW) -> Entry:
    return Entry(
        entry_id=f"txn_{kind}_{subject}_{amount_minor}", subject=subject, kind=kind, amount_minor=amount_minor,
        fee_minor=118 if kind == "charge" else 0, currency="SGD", at=now - timedelta(days=days),
    )  # fmt: skip


def findings(here: Sequence[Entry], there: Sequence[Entry], *underway: str) -> dict[str, Finding]:
    lines = compare(here, there, underway=underway, since=SINCE, now=NOW)
    assert len({line.subject for line in lines}) == len(lines)
    return {line.subject: line.finding for line in lines}


def test_both_sides_are_summed_for_each_subject_and_told_apart() -> None:
    here = [entry("a", 500), entry("a", -200), entry("b", 100), entry("d", 100), entry("u", -100)]
    here += [entry("old", 5, days=36), entry("edge", 7, days=36)]
    there = [entry("a", 300), entry("c", 100), entry("d", 99), entry("", 50), entry("", -3, kind="stripe_fee"),
             entry("edge", 7, days=34)]  # fmt: skip
    assert findings(here, there, "u") == {
        "b": Finding.MISSING_THERE,
        "c": Finding.MISSING_HERE,
        "d": Finding.DIFFERENT,
        "txn_charge__50": Finding.MISSING_HERE,
        "a": Finding.MATCHED,
        "edge": Finding.MATCHED,
        "txn_stripe_fee__-3": Finding.OWN,
        "u": Finding.UNDERWAY,
    }
    assert findings(here[:2], there[:1], "a") == {"a": Finding.MATCHED}  # what agrees is matched, finished or not


async def reconciled(world: World, told: Told | None, lines: str = "", balance: int = 0) -> BankReconciliation:
    funding: Funding = world.app.state.funding
    funding.provider = told
    now = world.clock()
    balances = [Balance(amount_minor=balance, currency="SGD")]
    return await funding.reconcile_bank(
        bank=read_bank_statement(BANK_LINES + lines) if lines else [], bank_balances=balances,
        since=now - timedelta(days=1), now=now,
    )  # fmt: skip


async def test_a_day_is_compared_with_the_provider_and_the_bank(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    operations = [body_of(await alice.top_up("20.00"), 201)]
    operations += [body_of(await alice.post("/v1/withdrawals", {"amount": operations[0]["amount"]}), 201)]
    (page,) = [body_of(await alice.get("/v1/history"), 200)["items"]]
    assert len(page) == 3
    subjects = [f"operation {UUID(each['operation_id'])}" for each in operations]
    now = world.clock()
    first = next(line.subject for line in (await reconciled(world, None)).lines if line.here_minor == 5000)
    told = [
        entry(first, 5000, now=now),
        entry(subjects[0], 2000, now=now),
        entry(subjects[1], -2000, kind="transfer", now=now),
    ]
    found = await reconciled(world, Told(*told, held=5000))
    assert [line.finding for line in found.lines] == [Finding.MATCHED] * 3
    assert found.is_right
    (held,) = found.held
    assert (held.owed_minor, held.provider_minor, held.spare_minor) == (5000, 5000, 0)
    assert [fee.amount_minor for fee in found.fees] == [236]

    short = await reconciled(world, Told(*told, held=4999))
    assert (short.wrong, short.is_right) == ([], False)
    assert "NOT ENOUGH" in as_text(short)

    payout = entry("payout po_1", -3000, kind="payout", now=now)
    day = f"{now:%Y-%m-%d}"
    arrived = await reconciled(world, Told(*told, payout, held=2000), f"{day},30.00,SGD,STRIPE SG\n", balance=3000)
    assert arrived.is_right
    assert arrived.held[0].bank_minor == 3000
    lost = await reconciled(world, Told(*told, payout, held=5000), f"{day},29.00,SGD,=1+1 po_1\n")
    assert [(line.subject, line.finding) for line in lost.wrong] == [("payout po_1", Finding.DIFFERENT)]
    by_hand = await reconciled(
        world, Told(*told[:2], held=5000), f"{day},-20.00,SGD,withdrawal {subjects[1].removeprefix('operation ')}\n"
    )
    assert by_hand.is_right
    missing = await reconciled(world, Told(*told[1:], entry("operation 0", 700, now=now), held=5000))
    assert {line.subject: line.finding for line in missing.wrong} == {
        first: Finding.MISSING_THERE, "operation 0": Finding.MISSING_HERE,
    }  # fmt: skip


async def test_the_daily_job_says_what_is_wrong_and_promises_the_next_day_once(world: World, database_url: str) -> None:
    funding: Funding = world.app.state.funding
    now = world.clock()
    funding.provider = Told(entry("operation 0", 700, now=now - timedelta(days=4)))
    for _ in range(2):
        with structlog.testing.capture_logs() as logs:
            await funding.reconcile_daily(now)
        (said,) = [line for line in logs if line["event"] == "bank_reconciled"]
        assert (said["log_level"], said["wrong"], said["oldest_days"]) == ("error", ["missing_here operation 0"], 4)
    connection = await asyncpg.connect(database_url)
    try:
        query = "SELECT convert_from(payload, 'UTF8') FROM funding_jobs.pgqueuer WHERE entrypoint = 'reconcile_bank'"
        assert [row[0] for row in await connection.fetch(query)] == [f"{now + timedelta(days=1):%Y-%m-%d}"]
    finally:
        await connection.close()


def test_the_command_compares_with_the_bank_and_says_so_by_its_exit_code(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TIKIWALLET_DATA_DIR", str(tmp_path))
    run = functools.partial(CliRunner().invoke, commands)
    nothing = run(["reconcile-bank"])
    assert (nothing.exit_code, "nothing to compare with" in nothing.output) == (1, True)
    bank = tmp_path / "bank.csv"
    bank.write_text(BANK_LINES)
    files = ["--csv", str(tmp_path / "out.csv"), "--svg", str(tmp_path / "out.svg")]
    right = run(["reconcile-bank", "--bank", str(bank), "--bank-balance", "SGD=0.00", *files])
    assert (right.exit_code, right.output.splitlines()[-1]) == (0, "Books, provider and bank agree.")
    assert (tmp_path / "out.csv").read_text().startswith("finding,subject")
    assert ET.parse(tmp_path / "out.svg").getroot().tag.endswith("svg")
    bank.write_text(f"{BANK_LINES}{datetime.now(UTC):%Y-%m-%d},20.00,SGD,somebody\n")
    wrong = run(["reconcile-bank", "--bank", str(bank)])
    assert (wrong.exit_code, wrong.output.splitlines()[-1]) == (1, "NOT RIGHT, see above.")
    assert run(["reconcile-bank", "--bank-balance", "SGD"]).exit_code == 2
    bank.write_text(f"{BANK_LINES}yesterday,20.00,SGD,somebody\n")
    unreadable = run(["reconcile-bank", "--bank", str(bank)])
    assert (unreadable.exit_code, "Line 2 can't be read" in unreadable.output) == (1, True)


def test_the_report_is_a_table_a_csv_file_and_a_picture() -> None:
    lines = compare(
        [entry("operation 1", 500), entry("=cmd|' /C calc'!A0", -150, days=8)], [entry("operation 1", 500)],
        underway=(), since=SINCE, now=NOW,
    )  # fmt: skip
    found = BankReconciliation(as_of=NOW, since=SINCE, lines=tuple(lines), held=(), fees=())
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["subject"] for row in rows] == ["'=cmd|' /C calc'!A0", "operation 1"]
    assert [(row["here"], row["there"], row["age_days"]) for row in rows] == [
        ("-1.50", "0.00", "8"),
        ("5.00", "5.00", "0"),
    ]
    picture = ET.fromstring(as_svg(found))
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["matched: 1", "missing_there: 1"]
    assert "missing_there" in as_text(found)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1", "\uff1d1", "-"])
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(f"a{text}") == f"a{text}"
    assert cell(-1) == "-1"  # a number stays one


@pytest.mark.parametrize(
    "text",
    ["", "date,amount,currency\n", "date,date,amount,currency,reference\n", BANK_LINES + "2026-13-01,1.00,SGD,x\n",
     BANK_LINES + "2026-11-01,1.005,SGD,x\n", BANK_LINES + "2026-11-01,1.00,XXX,x\n", BANK_LINES + "2026-11-01,1.00\n",
     BANK_LINES + "2026-11-01,--1.00,SGD,x\n", BANK_LINES + "2026-11-01,,SGD,x\n"],
)  # fmt: skip
def test_half_a_bank_statement_is_refused(text: str) -> None:
    with pytest.raises(BankStatementInvalid, match=r"^(Line 2 can't be read|A bank statement has the columns)"):
        read_bank_statement(text)


def test_a_bank_statement_is_read_in_whatever_order_its_columns_come() -> None:
    name = "019e0000-0000-7000-8000-0000000000ab"
    text = (
        "\ufeffReference,Date,Amount,Currency,Balance\n"
        f"{name.upper()},2026-11-01,-12.50,SGD,1\npo_1Ab x,2026-11-02,+3.00,SGD,4\n"
    )
    found = read_bank_statement(text)
    assert [(each.subject, each.amount_minor) for each in found] == [
        (f"operation {name}", -1250),
        ("payout po_1Ab", 300),
    ]
