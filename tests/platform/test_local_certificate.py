"""A certificate of this machine's own: whoever trusts its authority trusts these hosts, for a time, and nobody else."""

import ssl
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from processes import OPERATORS, run
from tikiwallet.platform import local_certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def read(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


def test_phones_take_it() -> None:
    made = local_certificate.make(["192.168.1.5", "Shop.local"], now=NOW)
    certificate, authority = read(made.chain)
    assert [authority] == read(made.authority)
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["192.168.1.5", "shop.local"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 397


def test_its_authority_may_vouch_for_nothing_else() -> None:
    (authority,) = read(local_certificate.make(["192.168.1.5", "shop.local"], now=NOW).authority)
    only = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert only.critical
    assert [str(name.value) for name in only.value.permitted_subtrees or []] == ["192.168.1.5/32", "shop.local"]
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_two_of_one_machine_are_told_apart() -> None:
    (one,), (other,) = (read(local_certificate.make(["localhost"], now=NOW).authority) for _ in range(2))
    assert one.public_key() != other.public_key()
    assert one.extensions.get_extension_for_class(x509.SubjectKeyIdentifier) != (
        other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    )


@pytest.mark.parametrize(
    "host", ["", "http://shop.local", "shop.local:8000", "shop_local", "*.local", "-x", "münze.de"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(local_certificate.HostRefused, match="without a port"):
        local_certificate.make([host], now=NOW)


def test_only_its_owner_reads_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    for _ in range(2):
        authority, chain, key = local_certificate.write(local_certificate.make(["localhost"], now=NOW), folder)
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        key.chmod(0o644)  # the second time it has to be put right
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key)
    assert authority.read_bytes().count(b"BEGIN CERTIFICATE") == 1
    assert chain.read_bytes().count(b"BEGIN CERTIFICATE") == 2


def test_this_machine_is_known_by_its_own_names() -> None:
    found = local_certificate.hosts_of_this_machine()
    assert set(local_certificate.HERE) <= set(found)
    assert len(found) == len(set(found))
    local_certificate.make(found, now=NOW)


def command(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(OPERATORS, "make-certificate", *arguments, environment={"TIKIWALLET_DATA_DIR": str(data_dir)})


def test_the_command_says_what_to_do_and_replaces_nothing_unasked(tmp_path: Path) -> None:
    done = command(tmp_path, "192.168.1.5")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (f"install {tmp_path}/tls/ca.crt", f"--tls-key {tmp_path}/tls/server.key", "https://192.168.1.5:8000"):
        assert part in done.stdout
    kept = (tmp_path / "tls" / "ca.crt").read_bytes()
    again = command(tmp_path, "192.168.1.6")
    assert (again.returncode, again.stdout) == (1, "")
    assert "--replace makes a new one" in again.stderr
    assert (tmp_path / "tls" / "ca.crt").read_bytes() == kept
    assert command(tmp_path, "192.168.1.6", "--replace").returncode == 0
    assert (tmp_path / "tls" / "ca.crt").read_bytes() != kept
    wrong = command(tmp_path, "https://shop.local", "--replace")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "is no host" in wrong.stderr
