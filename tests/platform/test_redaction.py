"""Secrets are replaced before a log line is written, by their name and by their shape."""

import json

import pytest
import structlog

from tikiwallet.platform.telemetry import REDACTED, configure_logs, redact

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "passphrase", "client_secret", "token", "access_token", "Authorization", "cookie",
        "code", "otp", "private_pem", "phone", "payer_phone", "body", "database_url", "url",
    ],
)  # fmt: skip
def test_a_value_under_the_name_of_a_secret_is_replaced(name: str) -> None:
    assert redact(None, "info", {name: "x", "event": "done"}) == {name: REDACTED, "event": "done"}


@pytest.mark.parametrize("name", ["error_code", "code_count", "outcome", "person_id", "attempt", "urls_seen"])
def test_other_names_keep_their_values(name: str) -> None:
    assert redact(None, "info", {name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Key (phone)=(+6591234567) already exists.", f"Key (phone)=({REDACTED}) already exists."),
        ("call +65 9123 4567 now", f"call {REDACTED} now"),
        (f"Bearer {TOKEN}", f"Bearer {REDACTED}"),
        ("at postgresql://wallet:hunter2@db/wallet now", f"at {REDACTED} now"),
        ("($argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA, phone)", f"({REDACTED}, phone)"),
        ("took 1234567 ms for 12 people in 2026", "took 1234567 ms for 12 people in 2026"),
        ("0198f3c2-1111-7222-8333-444455556666", "0198f3c2-1111-7222-8333-444455556666"),
    ],
)
def test_secrets_inside_a_text_are_replaced_by_their_shape(text: str, kept: str) -> None:
    assert redact(None, "error", {"event": text}) == {"event": kept}


def test_numbers_and_times_stay_readable() -> None:
    line = {"timestamp": "2026-11-23T15:13:40.123456Z", "level": "info", "amount_minor": 123456789012}
    assert redact(None, "info", dict(line)) == line


def test_a_log_line_is_one_json_object_without_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    log = structlog.get_logger()
    log.debug("below the level")
    log.error("bug", password="hunter2", exc_info=ValueError("no wallet for +6591234567"))
    structlog.reset_defaults()
    line = json.loads(capfd.readouterr().err)
    assert (line["event"], line["level"], line["password"]) == ("bug", "error", REDACTED)
    assert f"no wallet for {REDACTED}" in line["exception"]
