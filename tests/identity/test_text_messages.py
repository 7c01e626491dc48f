"""Text messages: after the commit, to a file or the console, and a clear answer when they can't be sent."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tikiwallet.identity.service import make_sms_sender
from tikiwallet.identity.sms import ConsoleSms, FileSms, SmsUnavailable
from tikiwallet.identity.text_reports import TextReports
from tikiwallet.identity.twilio_sms import TwilioSms
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from world import PASSWORD, World, refusal

ORDER = {"phone": "+6591110001", "username": "asha", "password": PASSWORD}
NOW = datetime(2026, 11, 27, tzinfo=UTC)


async def test_a_message_is_one_line_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    sender = FileSms(tmp_path / "new" / "sms.jsonl")
    await sender.send(phone="+6591110001", text="one\ntwo", now=NOW)
    await sender.send(phone="+6591110002", text="•", now=NOW)
    lines = (tmp_path / "new" / "sms.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"phone": "+6591110001", "text": "one\ntwo"},
        {"phone": "+6591110002", "text": "•"},
    ]
    assert stat.S_IMODE((tmp_path / "new" / "sms.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_a_message_on_the_console_says_that_it_is_a_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    await ConsoleSms().send(phone="+6591110001", text="123456 is your code", now=NOW)
    assert capsys.readouterr().out == "\n  [demo text message to +6591110001]\n  123456 is your code\n\n"


async def test_the_settings_name_the_sender(tmp_path: Path) -> None:
    nowhere: TextReports = TextReports(Database("", context="identity", size_max=1))
    for name, kind in {"console": ConsoleSms, "file": FileSms, "twilio": TwilioSms}.items():
        settings = Settings(sms_sender=name, data_dir=tmp_path)
        assert type(make_sms_sender(settings, reports=nowhere)) is kind


async def test_a_message_that_is_not_on_the_disk_was_not_sent(tmp_path: Path) -> None:
    with pytest.raises(SmsUnavailable):
        await FileSms(Path("/dev/full")).send(phone="+6591110001", text="lost", now=NOW)
    with pytest.raises(SmsUnavailable):
        await FileSms(tmp_path).send(phone="+6591110001", text="a folder is no file", now=NOW)


async def test_a_sign_up_whose_message_failed_can_be_begun_again(world: World, data_dir: Path) -> None:
    (data_dir / "sms.jsonl").mkdir()
    answer = await world.http.post("/v1/registrations", json=ORDER)
    assert refusal(answer) == (503, "sms_unavailable")
    assert answer.headers["retry-after"] == "5"
    (data_dir / "sms.jsonl").rmdir()
    assert (await world.sign_up("asha", phone="+6591110001")).username == "asha"


async def test_a_fresh_code_whose_message_failed_can_be_asked_for_again(world: World, data_dir: Path) -> None:
    started = (await world.http.post("/v1/registrations", json=ORDER)).json()
    registration = f"/v1/registrations/{started['registration_id']}"
    (data_dir / "sms.jsonl").rename(data_dir / "before.jsonl")
    (data_dir / "sms.jsonl").mkdir()
    assert refusal(await world.http.post(f"{registration}/code")) == (503, "sms_unavailable")
    (data_dir / "sms.jsonl").rmdir()
    assert (await world.http.post(f"{registration}/code")).status_code == 202
    code = world.code_sent_to("+6591110001")
    assert (await world.http.post(f"{registration}/verification", json={"code": code})).status_code == 201
