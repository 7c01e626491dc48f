"""The operator's keys: made once, kept private, and never mixed with those of another network."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tikicash.cose import PrivateKeySigner
from tikicash.messages import IssuerKey, Signed, parse, sign
from tikicash.validity import check_issuer_key
from tikiwallet.identity.types import Tier
from tikiwallet.offline import issuer as issuer_module
from tikiwallet.offline.issuer import Issuer, network_id
from tikiwallet.offline.key_folder import open_key_folder, rotate_issuer_key
from tikiwallet.offline.policy import default_tiers, read_policy
from tikiwallet.platform.config import ConfigError
from world import open_world

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_the_first_start_makes_keys_that_only_their_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    keys = open_key_folder(folder, now=NOW).read()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "root.pem": 0o600, "root.pub": 0o600, "issuer-1.pem": 0o600, "issuer-1.tk1": 0o600,
    }  # fmt: skip
    (document,) = keys.documents
    body = check_issuer_key(document, root_key=keys.root_key)
    assert (body.net, body.number, body.key) == (network_id(keys.root_key), 1, keys.signers[1].public_key)


def test_later_starts_find_the_same_keys_even_without_the_root(tmp_path: Path) -> None:
    first = Issuer(open_key_folder(tmp_path, now=NOW))
    (tmp_path / "root.pem").unlink()  # taken to a safe
    again = Issuer(open_key_folder(tmp_path, now=NOW))
    assert (again.root_key, again.documents) == (first.root_key, first.documents)
    assert again.operator_key_at(NOW) == first.operator_key_at(NOW)


def test_a_first_start_that_died_half_way_goes_on_from_there(tmp_path: Path) -> None:
    first = open_key_folder(tmp_path, now=NOW).read()
    (tmp_path / "root.pub").unlink()
    (tmp_path / "issuer-1.tk1").unlink()
    again = open_key_folder(tmp_path, now=NOW).read()
    assert (again.root_key, again.documents) == (first.root_key, first.documents)


def test_files_that_do_not_belong_together_stop_the_start(tmp_path: Path) -> None:
    first = Issuer(open_key_folder(tmp_path, now=NOW))
    other = tmp_path / "other"
    open_key_folder(other, now=NOW)
    rotate_issuer_key(tmp_path, root_file=tmp_path / "root.pem", now=NOW, overlap_seconds=0)
    key, document = (tmp_path / f"issuer-2.{suffix}" for suffix in ("pem", "tk1"))
    good_key, good_document = key.read_bytes(), document.read_bytes()
    key.write_bytes((other / "issuer-1.pem").read_bytes())
    with pytest.raises(ConfigError, match="another key"):
        Issuer(open_key_folder(tmp_path, now=NOW))
    key.unlink()
    with pytest.raises(ConfigError, match="no signing key beside it"):
        Issuer(open_key_folder(tmp_path, now=NOW))
    key.write_bytes(good_key)
    key.chmod(0o600)
    document.write_bytes((tmp_path / "issuer-1.tk1").read_bytes())
    with pytest.raises(ConfigError, match="another number than its file"):
        Issuer(open_key_folder(tmp_path, now=NOW))
    document.write_bytes(
        sign(_body_of(good_document), PrivateKeySigner(ec.generate_private_key(ec.SECP256R1()))).to_bytes()
    )
    with pytest.raises(ConfigError, match="isn't signed by the root key"):
        Issuer(open_key_folder(tmp_path, now=NOW))
    document.unlink()
    assert Issuer(open_key_folder(tmp_path, now=NOW)).operator_ids == first.operator_ids


def _body_of(document: bytes) -> IssuerKey:
    read = parse(document)
    assert isinstance(read, Signed)
    assert isinstance(read.body, IssuerKey)
    return read.body


def test_a_network_is_one_number_for_one_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = open_key_folder(tmp_path, now=NOW)
    monkeypatch.setattr(issuer_module, "network_id", lambda _: 7)
    with pytest.raises(ConfigError, match="another network"):
        Issuer(keys)


def rsa_pem() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def p384_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("issuer-1.pem", b"garbage"),
        ("issuer-1.pem", rsa_pem()),
        ("issuer-1.pem", p384_pem()),
        ("issuer-1.tk1", b"garbage"),
        ("issuer-1.tk1", bytes.fromhex("84074080") + b"\x80\x80"),
        ("root.pub", b"not hex"),
    ],
)
def test_damaged_keys_stop_the_start(tmp_path: Path, name: str, content: bytes) -> None:
    open_key_folder(tmp_path, now=NOW)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError):
        open_key_folder(tmp_path, now=NOW)


def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    open_key_folder(tmp_path, now=NOW)
    (tmp_path / "issuer-1.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        open_key_folder(tmp_path, now=NOW)


def test_another_document_in_place_of_the_issuer_key_stops_the_start(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    from tikiwallet.offline.revocations import sign_time

    (tmp_path / "issuer-1.tk1").write_bytes(sign_time(issuer, now=NOW).to_bytes())
    with pytest.raises(ConfigError, match="holds no issuer document"):
        open_key_folder(tmp_path, now=NOW)


async def test_a_server_with_the_keys_of_another_network_does_not_start(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path / "one"):
        pass
    with pytest.raises(Exception, match="another network"):
        async with open_world(database_url, tmp_path / "two"):
            pass


def test_the_policy_is_the_table_of_the_design() -> None:
    tiers = default_tiers("SGD")
    identified = tiers[Tier.IDENTIFIED]
    assert (identified.payment_max_minor, identified.voucher_max_minor) == (2000, 5000)
    assert (identified.cover_minor, identified.budget_minor) == (2000, 2000)
    assert (identified.guarantee_minor, identified.early_release_minor) == (2000, 2000)
    assert (tiers[Tier.PHONE].budget_minor, tiers[Tier.TILL].budget_minor) == (0, 50_000)
    assert default_tiers("JPY")[Tier.PHONE].voucher_max_minor == 20


def test_an_operator_replaces_numbers_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[identified]\ncover_minor = 1000\nspend_seconds = 3600\n")
    policy = read_policy(str(path), currency="SGD")
    assert policy.of(Tier.IDENTIFIED).cover_minor == 1000
    assert policy.of(Tier.IDENTIFIED).voucher_max_minor == 5000
    assert policy.of(Tier.PHONE) == default_tiers("SGD")[Tier.PHONE]


@pytest.mark.parametrize(
    "text",
    [
        "[royalty]\ncover_minor = 1",
        "[identified]\ncolour = 1",
        "[identified]\ncover_minor = '1'",
        "[identified]\ncover_minor = -1",
        "[identified]\ncover_minor = 10000000000000001",
        "[identified]\nspend_seconds = 0",
        "[identified]\nclaim_seconds = 1",
        "[identified]\ncertificate_seconds = 0",
        "[identified]\npayment_max_minor = 5001",
        "[identified]\npayment_max_minor = 0",
        "[identified]\nreceive_only = true",
        "[identified]\nphones_max = 0",
        "[identified]\nnumber = 24",
        "identified = 3",
        "not toml",
    ],
)
def test_numbers_that_contradict_each_other_stop_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_policy(str(path), currency="SGD")


def test_a_missing_policy_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_policy(str(tmp_path / "none.toml"), currency="SGD")
