"""The requests that are sent, ready to be written to a connection."""

import random

import msgspec

from bench.place import Someone


def transfers(people: list[Someone], *, number: int, merchant: Someone | None = None, seed: int = 1) -> tuple[str, ...]:
    """Return payments of one cent between random pairs of `people`, or to one `merchant`."""
    draw = random.Random(seed)
    found = []
    for _ in range(number):
        payer, payee = draw.sample(people, 2)
        if merchant is not None:
            payee = merchant
        if payer is payee:
            continue
        order = {"to": {"username": payee.username}, "amount": {"amount_minor": 1, "currency": "SGD"}, "memo": "tea"}
        body = msgspec.json.encode(order).decode()
        found.append(
            f"POST /v1/transfers HTTP/1.1\r\nhost: wallet.test\r\nauthorization: Bearer {payer.token}\r\n"
            f"content-type: application/json\r\nidempotency-key: {{key}}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        )
    return tuple(found)


def reads(people: list[Someone], *, number: int, seed: int = 1) -> tuple[str, ...]:
    """Return as many looks at the balance as at the first page of the history, of random people."""
    draw = random.Random(seed)
    return tuple(
        f"GET {path} HTTP/1.1\r\nhost: wallet.test\r\nauthorization: Bearer {draw.choice(people).token}\r\n\r\n"
        for _ in range(number // 2)
        for path in ("/v1/balance", "/v1/history")
    )
