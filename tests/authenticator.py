"""An authenticator in software: makes passkeys and signs with them as a phone does, and as a cheat would."""

import base64
import hashlib
import json
import secrets
from typing import Any
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "http://localhost:8000"  # of the default settings
PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Authenticator:
    """One passkey. `sign_count` is what it says next; None: it never counts, as synced passkeys."""

    def __init__(self, *, sign_count: int | None = 0) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.sign_count = sign_count
        self.user_handle = ""

    def make(
        self, challenge: dict[str, Any], *, name: str = "My phone", origin: str = ORIGIN, rp_id: str = "",
        flags: int = PRESENT | VERIFIED,
    ) -> dict[str, Any]:  # fmt: skip
        """Answer a challenge to register."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        data = self._data(rp_id or challenge["rp_id"], flags | ATTESTED) + held
        return {
            "name": name,
            "credential_id": text(self.credential_id),
            "client_data": text(_client_data("webauthn.create", challenge["challenge"], origin)),
            "authenticator_data": text(data),
        }

    def sign(
        self, challenge: dict[str, Any], *, origin: str = ORIGIN, rp_id: str = "", flags: int = PRESENT | VERIFIED,
        kind: str = "webauthn.get",
    ) -> dict[str, Any]:  # fmt: skip
        """Answer a challenge to sign."""
        client_data = _client_data(kind, challenge["challenge"], origin)
        data = self._data(rp_id or challenge["rp_id"], flags)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "credential_id": text(self.credential_id),
            "client_data": text(client_data),
            "authenticator_data": text(data),
            "signature": text(signature),
            "user_handle": self.user_handle,
        }

    def belongs_to(self, person_id: UUID) -> None:
        """Keep whose passkey it is, as an authenticator does when it makes one."""
        self.user_handle = text(person_id.bytes)

    def _data(self, rp_id: str, flags: int) -> bytes:
        if self.sign_count is not None:
            self.sign_count += 1
        count = (self.sign_count or 0).to_bytes(4, "big")
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count


def _client_data(kind: str, challenge: str, origin: str) -> bytes:
    return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
