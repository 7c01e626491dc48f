"""Runs one vector: what a vector's JSON means, in a form that the JavaScript twin repeats line by line."""

from dataclasses import fields, is_dataclass
from typing import Any

from tikicash import encoding, rules, settlement
from tikicash.book import Accepted, Ancestor, Book, HandedOn, Holding, Terms
from tikicash.chain import operator_ids
from tikicash.coins import choose_pieces, refund_pieces
from tikicash.errors import Rejected
from tikicash.messages import parse_code
from tikicash.rules import AcceptContext
from tikicash.validity import SETTLEMENT_LIMITS, check_chain, check_issued, check_issuer_key

Json = Any


def plain(value: Any) -> Json:
    """A value as JSON: bytes as hex, dataclasses as objects, tuples as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def body(code: str | None) -> Any:
    return None if code is None else parse_code(code).body


def bodies(codes: list[str]) -> tuple[Any, ...]:
    return tuple(body(code) for code in codes)


def terms_from(json: Json) -> Terms:
    ids = {"voucher_id": unhex(json["voucher_id"]), "audience_id": unhex(json["audience_id"])}
    return Terms(**{**json, **ids})


def holding_from(json: Json) -> Holding:
    changed = {
        "owner_id": unhex(json["owner_id"]),
        "parent_id": unhex(json["parent_id"]),
        "terms": terms_from(json["terms"]),
        "ancestors": tuple(Ancestor(**{**item, "id": unhex(item["id"])}) for item in json["ancestors"]),
    }
    return Holding(**{**json, **changed})


def handed_on_from(json: Json) -> HandedOn:
    ids = {"owner_id": unhex(json["owner_id"]), "payment_id": unhex(json["payment_id"])}
    return HandedOn(**{**json, **ids, "terms": terms_from(json["terms"])})


def book_from(json: Json) -> Book:
    return Book(
        holdings=tuple(holding_from(item) for item in json["holdings"]),
        handed_on=tuple(handed_on_from(item) for item in json["handed_on"]),
        accepted=tuple(Accepted(**{**item, "payment_id": unhex(item["payment_id"])}) for item in json["accepted"]),
    )


def run_decode(vector: Json) -> Json:
    data = bytes.fromhex(vector["input"])
    assert encoding.encode(encoding.decode(data)) == data
    return {"value": plain(encoding.decode(data))}


def run_parse_code(vector: Json) -> Json:
    message = parse_code(vector["input"])
    found = plain(message)
    return {"type": type(getattr(message, "body", message)).__name__, "message": found}


def accept_context(vector: Json) -> AcceptContext:
    given = vector["context"]
    return AcceptContext(
        net=given["net"],
        now=vector["now"],
        newest_signed_time=given["newest_signed_time"],
        open_requests=bodies(given["open_requests"]),
        issuer_keys=bodies(given["issuer_keys"]),
        revocations=body(given["revocations"]),
        my_keys=tuple(bytes.fromhex(key) for key in given["my_keys"]),
        my_certificate=body(given["my_certificate"]),
        book=book_from(given["book"]),
    )


def run_accept(vector: Json) -> Json:
    check = rules.accept if vector["check"] == "accept" else rules.accept_claim
    result = check(parse_code(vector["input"]), context=accept_context(vector))
    return {
        "payment_id": result.payment.id.hex(),
        "sale_id": None if result.sale is None else result.sale.id.hex(),
        "payer_id": result.payer_id.hex(),
        "payer_name": result.payer_name,
        "memo": result.memo,
        "depth": result.chain.depth,
        "how_safe": plain(result.how_safe),
        "book": plain(result.book),
        "newest_signed_time": result.newest_signed_time,
    }


def run_check_chain(vector: Json) -> Json:
    given = vector["context"]
    keys = bodies(given["issuer_keys"])
    chain = check_chain(parse_code(vector["input"]), net=given["net"], issuer_keys=keys, limits=SETTLEMENT_LIMITS)
    lineages = [[item.hex() for item in way.lineage] for way in chain.traces]
    return {"payment_id": chain.payment.id.hex(), "depth": chain.depth, "lineages": lineages}


def run_verify_request(vector: Json) -> Json:
    given = vector["context"]
    asked = rules.verify_request(
        parse_code(vector["input"]),
        net=given["net"],
        now=vector["now"],
        newest_signed_time=given["newest_signed_time"],
        issuer_keys=bodies(given["issuer_keys"]),
        revocations=body(given["revocations"]),
    )
    return {
        "request_id": asked.request.id.hex(),
        "certificate_id": None if asked.certificate is None else asked.certificate.id.hex(),
        "verified_name": asked.verified_name,
    }


def run_verify_answer(vector: Json) -> Json:
    answer = parse_code(vector["input"])
    given = vector["context"]
    check = rules.verify_receipt if vector["check"] == "verify_receipt" else rules.verify_refusal
    check(answer, payment=parse_code(given["payment"]), payee_key=bytes.fromhex(given["payee_key"]))
    return plain(answer.body)


def run_check_issued(vector: Json) -> Json:
    document = parse_code(vector["input"])
    check_issued(document, issuer_keys=bodies(vector["context"]["issuer_keys"]))
    return plain(document.body)


def run_check_issuer_key(vector: Json) -> Json:
    return plain(check_issuer_key(parse_code(vector["input"]), root_key=bytes.fromhex(vector["context"]["root_key"])))


def run_choose_pieces(vector: Json) -> Json:
    wanted = vector["input"]
    holdings = tuple(holding_from(item) for item in vector["context"]["holdings"])
    return plain(choose_pieces(holdings, wanted["amount"], start=wanted["start"]))


def run_refund_pieces(vector: Json) -> Json:
    wanted, given = vector["input"], vector["context"]
    pieces = refund_pieces(
        tuple(holding_from(item) for item in given["holdings"]),
        wanted["amount"],
        sale_id=bytes.fromhex(given["sale_id"]),
        payee_id=bytes.fromhex(given["payee_id"]),
        certificate=body(given["certificate"]),
        now=vector["now"],
        start=wanted["start"],
    )
    return plain(pieces)


def spend_json(spend: settlement.DoubleSpend) -> Json:
    payments = [item.id.hex() for item in spend.payments]
    return {**plain(spend), "payments": payments}


def run_double_spends(vector: Json) -> Json:
    documents = [item for code in vector["input"] for item in parse_code(code).documents]
    operator = operator_ids(bodies(vector["context"]["issuer_keys"]))
    return [spend_json(item) for item in settlement.double_spends(documents, operator=operator)]


def run_verify_proof(vector: Json) -> Json:
    root_key = bytes.fromhex(vector["context"]["root_key"])
    return spend_json(settlement.verify_proof(parse_code(vector["input"]), root_key=root_key))


RUN = {
    "decode": run_decode,
    "parse_code": run_parse_code,
    "accept": run_accept,
    "accept_claim": run_accept,
    "check_chain": run_check_chain,
    "verify_request": run_verify_request,
    "verify_receipt": run_verify_answer,
    "verify_refusal": run_verify_answer,
    "check_issued": run_check_issued,
    "check_issuer_key": run_check_issuer_key,
    "choose_pieces": run_choose_pieces,
    "refund_pieces": run_refund_pieces,
    "double_spends": run_double_spends,
    "verify_proof": run_verify_proof,
}


def run(vector: Json) -> Json:
    """What the implementation says about a vector, in the form of its `expect`."""
    try:
        return {"accept": RUN[vector["check"]](vector)}
    except Rejected as rejected:
        return {"reject": rejected.code}
