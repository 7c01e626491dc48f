"""An operator without a server: signs with tikicash what a sync would bring."""

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from tikicash.cose import PrivateKeySigner
from tikicash.messages import (
    OPENS_NAME,
    Certificate,
    IssuerKey,
    Opening,
    Revocations,
    Signed,
    SignedTime,
    Voucher,
    key_id,
    name_commitment,
    sign,
)
from tikiwallet.cli.trust import Said, learn, pin_network
from tikiwallet.cli.wallet_folder import Wallet

DAY = 24 * 3600
SGD = 702


def signer_of(seed: str) -> PrivateKeySigner:
    """Return a key that is the same in every run."""
    number = int.from_bytes(sha256(seed.encode()).digest(), "big") % (2**255) + 1
    return PrivateKeySigner(ec.derive_private_key(number, ec.SECP256R1()))


@dataclass
class Operator:
    """Issues vouchers and certificates with the numbers of the design's tiers."""

    now: int
    net: int = 77
    seed: str = "operator"
    next_unit: int = 10_000
    root: PrivateKeySigner = field(init=False)
    issuer: PrivateKeySigner = field(init=False)
    issuer_key: Signed[IssuerKey] = field(init=False)

    def __post_init__(self) -> None:
        self.root, self.issuer = signer_of(self.seed + "/root"), signer_of(self.seed + "/issuer")
        body = IssuerKey(
            net=self.net,
            number=1,
            key=self.issuer.public_key,
            valid_from=self.now - DAY,
            valid_until=self.now + 365 * DAY,
        )
        self.issuer_key = sign(body, self.root)

    def introduce(self, wallet: Wallet, *, username: str) -> None:
        """Make a wallet know the network, as its first sync does."""
        with wallet.store.transaction():
            for name, value in (("person_id", username), ("username", username), ("currency", "SGD")):
                wallet.store.remember(name, value)
        pin_network(wallet.store, net=self.net, root_key=self.root.public_key, operator_key=self.issuer.public_key)
        said = Said(
            issuer_keys=(self.issuer_key.to_bytes(),),
            signed_time=self.time().to_bytes(),
            revocations=self.revocations(epoch=0).to_bytes(),
        )
        learn(wallet, said)

    def time(self, *, at: int | None = None) -> Signed[SignedTime]:
        """Return the time, signed."""
        return sign(SignedTime(net=self.net, issuer=1, now=at or self.now), self.issuer)

    def revocations(self, *keys: bytes, epoch: int = 1) -> Signed[Revocations]:
        """Return a list of blocked keys."""
        entries = tuple(sorted(key_id(key)[:8] for key in keys))
        return sign(Revocations(net=self.net, issuer=1, epoch=epoch, now=self.now, entries=entries), self.issuer)

    def voucher(
        self, key: bytes, count: int, *, name: str, cover: int = 2000, payment_max: int = 2000,
        spend_days: int = 7, audience_key: bytes | None = None,
    ) -> tuple[Signed[Voucher], Opening]:  # fmt: skip
        """Return a voucher of minor units for a key, with the opening of its holder's name."""
        opening = Opening(opens=OPENS_NAME, salt=sha256(name.encode()).digest()[:16], text=name)
        first = self.next_unit
        self.next_unit += 100_000
        body = Voucher(
            net=self.net, issuer=1, currency=SGD, first=first, count=count, key=key, issued_at=self.now,
            spend_by=self.now + spend_days * DAY, claim_by=self.now + (spend_days + 7) * DAY,
            payment_max=payment_max, cover=cover, tier=1, name_commit=name_commitment(opening.salt, name),
            audience_key=audience_key,
        )  # fmt: skip
        return sign(body, self.issuer), opening

    def certificate(
        self, key: bytes, *, name: str, budget: int = 2000, may_hand_on: bool = True, days: int = 7
    ) -> tuple[Signed[Certificate], Opening]:
        """Return a certificate for a key, with the opening of its holder's name."""
        opening = Opening(opens=OPENS_NAME, salt=sha256(name.encode()).digest()[:16], text=name)
        body = Certificate(
            net=self.net, issuer=1, key=key, issued_at=self.now, valid_until=self.now + days * DAY, tier=1,
            cover_budget=budget, may_hand_on=may_hand_on, name_commit=name_commitment(opening.salt, name),
        )  # fmt: skip
        return sign(body, self.issuer), opening

    def certify(self, wallet: Wallet, **terms: object) -> None:
        """Give a wallet a certificate, as a sync does."""
        name = wallet.store.setting("username")
        certificate, opening = self.certificate(wallet.signer().public_key, name=name, **terms)  # type: ignore[arg-type]
        learn(wallet, Said(certificate=certificate.to_bytes(), certificate_opening=opening))

    def load(self, wallet: Wallet, count: int, **terms: object) -> Signed[Voucher]:
        """Give a wallet offline money, as a sync does."""
        name = wallet.store.setting("username")
        voucher, opening = self.voucher(wallet.signer().public_key, count, name=name, **terms)  # type: ignore[arg-type]
        learn(wallet, Said(vouchers=((voucher.to_bytes(), opening),)))
        return voucher
