"""Writes protocol/vectors/*.json from the stories in tests/protocol/stories_*.py.

Keys come from fixed seeds and signatures from RFC 6979, so the files are the same on every machine; a test fails if
they are not. Each story says which code it expects, so no implementation writes its own mistake into a vector.
Run: python tests/protocol/make_vectors.py
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "protocol" / "vectors"
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from protocol import (  # noqa: E402
    stories_chain,
    stories_coins,
    stories_payment,
    stories_reading,
    stories_refund,
    stories_settlement,
)
from protocol.runner import run  # noqa: E402

STORIES = (
    stories_reading.reading,
    stories_payment.requests,
    stories_payment.payments,
    stories_refund.refunds,
    stories_chain.chains,
    stories_payment.answers,
    stories_coins.coins,
    stories_settlement.settlement,
)


def files() -> dict[str, str]:
    """The text of every vector file by its name."""
    texts = {}
    for stories in STORIES:
        vectors = []
        for number, story in enumerate(stories(), start=1):
            vectors.append(finished(f"{stories.__name__}-{number:03}", story))
        texts[f"{stories.__name__}.json"] = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
    return texts


def finished(name: str, story: dict[str, Any]) -> dict[str, Any]:
    """A story with its number and its result, which must be the code that the story expects (None: accepted)."""
    code = story.pop("code")
    vector = {"id": name, **story}
    vector["expect"] = run(vector)
    assert vector["expect"].get("reject") == code, (name, story["why"], str(vector["expect"])[:200], code)
    return vector


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
