"""A tool for the cheat of the story: pay units a second time, without the checks that every wallet makes.

It needs no secret but the cheat's own key file. That is the point: software on a phone can't prevent this, so it has to
be limited, proved and made good.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tikicash.cose import PrivateKeySigner
from tikicash.messages import Bundle, Payment, Request, key_id, parse_code, sign, to_code


def pay_again(wallet_folder: Path, *, payment_code: str, request_code: str) -> str:
    """Return the code of a payment that answers a request with the very units of an earlier payment."""
    (key_file,) = wallet_folder.glob("key-*.pem")
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    first, asked = parse_code(payment_code), parse_code(request_code)
    assert isinstance(first, Bundle)
    assert isinstance(asked, Bundle)
    spent, request = first.documents[-1].body, asked.documents[0].body
    assert isinstance(spent, Payment)
    assert isinstance(request, Request)
    again = Payment(
        net=spent.net,
        currency=spent.currency,
        pieces=spent.pieces,
        total=spent.total,
        payee_id=key_id(request.payee_key),
        nonce=request.nonce,
        paid_at=spent.paid_at,
        memo_commit=None,
    )
    documents = (*first.documents[:-1], sign(again, PrivateKeySigner(key)))
    return to_code(Bundle(documents=documents, certificates=first.certificates, openings=first.openings))
