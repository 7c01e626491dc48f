"""Checks bytes against protocol/tikicash.cddl.

pycddl 0.6 is wrong about `.cbor`, literal byte strings, empty maps and choices inside an array. So this walks the
grammar itself: it picks the alternative by the type number, and gives pycddl one rule without choices at a time.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pycddl

TEXT = (Path(__file__).resolve().parents[2] / "protocol" / "tikicash.cddl").read_text()
RULES = {
    1: "voucher",
    2: "certificate",
    3: "request",
    4: "payment",
    5: "receipt",
    6: "refusal",
    9: "signed-time",
    10: "revocations",
    11: "issuer-key",
}


@cache
def schema(rule: str, *, nulls: tuple[str, ...] = ()) -> pycddl.Schema:
    """One rule as the root, with each `x / null` replaced by the alternative that the value takes."""
    text = re.sub(r"bstr \.cbor [a-z-]+", "bstr", TEXT).replace("h'a10128'", "bstr .size 3")
    text = text.replace("[* signed-in-bundle]", "[* any]").replace("[* signed-source]", "[* any]")
    text = text.replace("[* opening]", "[* any]")
    for name in nulls:
        text = re.sub(rf"({name}: )[a-z]+ / null", r"\1null", text)
    return pycddl.Schema(f"root = {rule}\n" + re.sub(r"([a-z]+) / null", r"\1", text))


def check(data: bytes) -> None:
    """Raise pycddl.ValidationError unless the grammar takes a message."""
    message: Any = cbor2.loads(data)
    require(isinstance(message, list) and len(message) > 0)
    if message[0] not in (7, 8):
        schema("sign1").validate_cbor(data)
        require(message[0] == bytes.fromhex("a10128") and message[1] == {})
        check_payload(message[2], *RULES.values())
    elif message[0] == 7:
        schema("bundle").validate_cbor(data)
        check_documents(message[1], "voucher", "payment", "request")
        check_documents(message[2], "certificate")
        for opening in message[3]:
            hidden = "name" if opening[0] == 1 else "memo"
            schema(f"[opens: 1..2, salt: salt, text: {hidden}]").validate_cbor(cbor2.dumps(opening))
    else:
        schema("proof").validate_cbor(data)
        check_documents(message[3], "voucher", "payment")
        check_documents(message[4], "certificate")
        check_documents(message[5], "issuer-key")


def check_documents(documents: list[Any], *rules: str) -> None:
    require(isinstance(documents, list))
    for document in documents:
        schema("signed-payment").validate_cbor(cbor2.dumps(document))
        check_payload(document[0], *rules)


def check_payload(payload: bytes, *rules: str) -> None:
    values = cbor2.loads(payload)
    require(isinstance(values, list) and RULES.get(values[0]) in rules)
    rule = RULES[values[0]]
    start = TEXT.index(f"\n{rule} = [")
    names = re.findall(r"(\w+): ", TEXT[start : TEXT.index("]\n", start)])
    nulls = tuple(name for name, value in zip(names, values, strict=False) if value is None)
    schema(rule, nulls=nulls).validate_cbor(payload)


def require(holds: bool) -> None:
    if not holds:
        raise pycddl.ValidationError("not in the grammar")
