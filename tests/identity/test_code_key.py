"""The key of the code hashes: made once, for its owner only, outside the database."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from tikiwallet.identity.codes import make_code, read_code_key
from tikiwallet.platform.config import ConfigError, read_settings
from world import PASSWORD, World, body_of


def test_a_key_is_made_once_and_stays(tmp_path: Path) -> None:
    key = read_code_key(tmp_path / "data", configured="")
    assert len(key) == 32
    assert read_code_key(tmp_path / "data", configured="") == key
    assert stat.S_IMODE((tmp_path / "data" / "code.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["code.key"]


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: read_code_key(tmp_path, configured=""), range(32)))
    assert len(set(keys)) == 1


def test_a_configured_key_needs_no_folder(tmp_path: Path) -> None:
    assert read_code_key(tmp_path / "data", configured="ab" * 32) == b"\xab" * 32
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_hold_the_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"can't hold code\.key"):
        read_code_key(tmp_path / "file", configured="")


@pytest.mark.parametrize("key", ["ab", "AB" * 32, "xy" * 32, "ab" * 33])
def test_a_configured_key_is_64_hex_digits(key: str) -> None:
    with pytest.raises(ConfigError, match="TIKIWALLET_CODE_KEY must be 64"):
        read_settings({"TIKIWALLET_CODE_KEY": key})


def test_codes_have_six_digits_with_their_leading_zeros() -> None:
    assert all(len(code) == 6 and code.isdecimal() for code in (make_code() for _ in range(1000)))


async def test_the_table_of_codes_does_not_tell_the_code(world: World, database_url: str, data_dir: Path) -> None:
    order = {"phone": "+6591110001", "username": "asha", "password": PASSWORD}
    body_of(await world.http.post("/v1/registrations", json=order), 202)
    connection = await asyncpg.connect(database_url)
    row = await connection.fetchrow("SELECT * FROM identity.one_time_code")
    await connection.close()
    assert len(row["code_hash"]) == 32
    assert world.code_sent_to("+6591110001") not in str(row)
    assert (data_dir / "code.key").read_bytes() not in bytes(row["code_hash"])
