"""How old is the list of blocked phones: it only gets newer, the person sees its age, and the verdict uses it."""

from collections.abc import Callable

from tests.cli.operator_of_tests import DAY, signer_of
from tests.cli.phones import Phone, pay_offline

from tikicash.messages import Revocations, sign
from tikiwallet.cli.trust import Said, learn, read_trust


def later(*phones: Phone, days: int) -> None:
    phones[0].clock.now += days * DAY  # one clock for all
    phones[0].operator.now = phones[0].clock.now


def test_a_fresh_voucher_in_a_payment_makes_no_old_list_young(phone: Callable[[str], Phone], ben: Phone) -> None:
    later(ben, days=4)
    asha = phone("asha").install(loaded=5000)  # her voucher is of today, and Ben heard nothing for four days
    assert pay_offline(asha, ben, "1")["at_risk_minor"] == 100
    assert pay_offline(asha, ben, "1")["at_risk_minor"] == 100  # nor after he accepted the first one
    with ben.wallet() as wallet:
        assert wallet.newest_signed_time() == ben.clock.now  # the floor of the clock did move
        learn(wallet, Said(revocations=ben.operator.revocations().to_bytes()))
    assert pay_offline(asha, ben, "1")["protected_minor"] == 100


def test_a_wallet_without_a_list_is_promised_nothing(asha: Phone, ben: Phone) -> None:
    with ben.wallet() as wallet:
        wallet.store.remember("revocations", "")
    assert "no list yet" in " ".join(ben.run("status").stdout.split())
    assert ben.does("status")["is_list_stale"] is True
    assert pay_offline(asha, ben, "1")["at_risk_minor"] == 100


def test_a_list_is_never_replaced_by_an_older_one(ben: Phone) -> None:
    thief, operator = signer_of("thief"), ben.operator

    def listed(*, epoch: int, age_hours: int, blocked: bool) -> bytes:
        body = operator.revocations(*([thief.public_key] if blocked else []), epoch=epoch).body
        moved = Revocations(net=body.net, issuer=1, epoch=epoch, now=body.now - age_hours * 3600, entries=body.entries)
        return sign(moved, operator.issuer).to_bytes()

    with ben.wallet() as wallet:
        learn(wallet, Said(revocations=listed(epoch=3, age_hours=0, blocked=True)))
        for older in (
            listed(epoch=2, age_hours=0, blocked=False),  # of an earlier epoch, signed later
            listed(epoch=3, age_hours=12, blocked=True),  # of this epoch, signed earlier
        ):
            learn(wallet, Said(revocations=older))
            found = read_trust(wallet.store)
            assert found.revocations is not None
            assert (found.revocations.epoch, len(found.revocations.entries)) == (3, 1)
            assert found.list_signed_at == operator.now


def test_the_status_says_how_old_the_list_is_and_what_that_means(ben: Phone) -> None:
    found = ben.does("status")
    assert found["is_list_stale"] is False
    assert found["list_signed_at"] < found["protected_until_at"]
    assert "can be protected until" in " ".join(ben.run("status").stdout.split())
    later(ben, days=4)
    assert ben.does("status")["is_list_stale"] is True
    told = " ".join(ben.run("status").stdout.split())
    assert "older than 72 hours, so what you are paid offline is at your own risk: run tiki sync" in told
