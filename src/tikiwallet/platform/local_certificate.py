"""A certificate for this machine, so that phones in the same network may use their camera and keep the wallet.

Browsers give both to pages over HTTPS only, and nobody certifies a name in a home network. So an authority is made for
one certificate: its private key is never written down, and it may vouch for the given hosts alone, so a phone that
trusts it trusts it for nothing else, whoever gets hold of the files.
"""

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE_DAYS: Final = 397  # what phones take from a server's certificate
SKEW_DAYS: Final = 2  # phones whose clock is behind take it too
HERE: Final = ("localhost", "127.0.0.1", "::1")
SOMEWHERE_ELSE: Final = ("192.0.2.1", 9)  # an address for documentation: nothing is sent to it
HOST_LENGTH_MAX: Final = 253


class HostRefused(Exception):
    """A host can't be certified. The message is one sentence for the operator."""


class LocalCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Three PEM texts: what phones install, and what the server is given."""

    authority: bytes
    chain: bytes
    private_key: bytes


def make(hosts: Sequence[str], *, now: datetime) -> LocalCertificate:
    """Return a fresh certificate for names and addresses, good for `LIFE_DAYS`. Raises `HostRefused`."""
    names = [_name_of(host) for host in hosts]
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each, or a phone takes an old authority for the new one.
    issuer = _named(f"TikiWallet on {hosts[0]}, {now:%Y-%m-%d %H:%M:%S}")
    authority = (
        _begun(issuer, issuer, authority_key.public_key(), now=now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(list(map(_only, names)), None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _begun(_named(hosts[0]), issuer, key.public_key(), now=now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority_pem = authority.public_bytes(pem)
    return LocalCertificate(
        authority=authority_pem,
        chain=certificate.public_bytes(pem) + authority_pem,
        private_key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def write(made: LocalCertificate, folder: Path) -> tuple[Path, Path, Path]:
    """Write the three files (ca.crt, server.crt, server.key) and return their paths. The key is readable by its owner
    alone. Raises `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = (folder / "ca.crt", folder / "server.crt", folder / "server.key")
    for path, content, mode in zip(
        paths, (made.authority, made.chain, made.private_key), (0o644, 0o644, 0o600), strict=True
    ):
        path.unlink(missing_ok=True)  # its old mode would stay
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123
            file.write(content)
    return paths


def hosts_of_this_machine() -> list[str]:
    """Return by which names and addresses this machine may be reached, the one that phones use first."""
    return list(dict.fromkeys([*filter(None, [address_in_the_network()]), socket.gethostname(), *HERE]))


def address_in_the_network() -> str:
    """Return this machine's address for its neighbours, "" if it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(SOMEWHERE_ELSE)
        except OSError:
            return ""
        return str(asked.getsockname()[0])


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    letters = host.replace(".", "").replace("-", "")
    if not (letters.isascii() and letters.isalnum()) or len(host) > HOST_LENGTH_MAX or host.startswith((".", "-")):
        raise HostRefused(f"{host!r} is no host: give names (shop.local) or addresses (192.168.1.5) without a port.")
    return x509.DNSName(host.lower())


def _only(name: x509.GeneralName) -> x509.GeneralName:
    """Return a name as a constraint: an address is a network of one."""
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(name.value))
    return name


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=SKEW_DAYS))
        .not_valid_after(now - timedelta(days=SKEW_DAYS) + timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
