"""Ask a running server everything that its description allows, and much that it doesn't: `make fuzz`.

Schemathesis makes requests from /openapi.json, right ones and wrong ones, as somebody who has money, and looks at each
answer: never a 5xx, only what the description says (status, type, every field), nothing without a session, wrong input
refused. Afterwards the books have to be right. A failure prints its seed and how to send the request again:
`python -m security.fuzz --seed 1 --cases 100` (with src and tests on the path).
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import urllib3

from browser.server import Server
from world import PASSWORD, money

PHONE = "+6591234567"
MANY = "1000000000"
# Nobody is slowed down here: how often one may try is tests/identity/test_throttling.py's.
LIMITS = (
    "sign_ins_per_phone_max", "sign_ins_per_address_max", "sign_ups_per_phone_max", "sign_ups_per_address_max",
    "codes_per_address_max", "orders_per_person_max",
)  # fmt: skip
# What fits the description may still be refused by a rule of the wallet: not enough money, nobody of that name.
LEFT_OUT_CHECKS = "positive_data_acceptance"
# They end the session that the rest is asked with; asked last, by itself.
ENDS_THE_SESSION = "/v1/sessions/current"
# Without Stripe they say 503, rightly; with it they are asked by tests/funding/test_stripe_flows.py and the matrix.
ONLY_WITH_STRIPE = "^/v1/(saved-cards|payout-account|webhooks/stripe)"


class Fuzzed:
    """A server of its own in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(folder / "data", **dict.fromkeys(LIMITS, MANY))

    def post(self, path: str, body: Any, token: str = "") -> Any:
        headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
        if token:
            headers["authorization"] = f"Bearer {token}"
        url = self.server.address.rstrip("/") + path
        answer = urllib3.request("POST", url, body=json.dumps(body), headers=headers)
        assert answer.status in {201, 202}, (path, answer.status, answer.data)
        return answer.json()

    def somebody_with_money(self) -> str:
        """The token of a person whose wallet is full enough."""
        for username, phone in (("bob", "+6591234568"), ("alice", "+6591234569"), ("olu", PHONE)):
            order = {"phone": phone, "username": username, "password": PASSWORD}
            started = self.post("/v1/registrations", order)
            code = self.server.code_sent_to(phone)
            session = self.post(f"/v1/registrations/{started['registration_id']}/verification", {"code": code})
        token: str = session["token"]
        self.post("/v1/top-ups", {"amount": money("5000.00")}, token)
        return token

    def is_signed_in(self, token: str) -> bool:
        """Whether the session still holds."""
        url = f"{self.server.address}v1/me"
        return urllib3.request("GET", url, headers={"authorization": f"Bearer {token}"}).status == 200

    def run(self, token: str, *arguments: str) -> int:
        """Run Schemathesis in the folder, where no settings lie about; return its exit code."""
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{self.server.address}openapi.json",
            "--checks", "all", "--exclude-checks", LEFT_OUT_CHECKS, "--no-color", "--warnings", "off",
            "--generation-database", "none", "-H", f"Authorization: Bearer {token}", *arguments,
        ]  # fmt: skip
        return subprocess.run(command, cwd=self.folder, check=False).returncode

    def reconcile(self) -> int:
        """Prove the books; return the exit code."""
        command = [sys.executable, "-m", "tikiwallet", "reconcile"]
        environment = {**os.environ, "TIKIWALLET_DATA_DIR": str(self.server.data_dir)}
        return subprocess.run(command, check=False, env=environment).returncode


def fuzz(folder: Path, *, seed: int, cases: int, phases: str) -> bool:
    """Return whether every answer was as described and the books are right."""
    sys.stdout.write(f"seed {seed}: {cases} cases an operation\n")
    sys.stdout.flush()
    fuzzed = Fuzzed(folder)
    fuzzed.server.start()
    try:
        token = fuzzed.somebody_with_money()
        common = ("--seed", str(seed), "--max-examples", str(cases), "--phases", phases)
        exit_codes = [
            fuzzed.run(
                token, *common, "--exclude-path", ENDS_THE_SESSION, "--exclude-path-regex", ONLY_WITH_STRIPE
            )
        ]  # fmt: skip
        assert fuzzed.is_signed_in(token), "the session ended on the way: from there on all that was tried is the guard"
        exit_codes.append(fuzzed.run(token, *common, "--include-path", ENDS_THE_SESSION))
    finally:
        fuzzed.server.stop()
    return [*exit_codes, fuzzed.reconcile()] == [0, 0, 0]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        is_right = fuzz(Path(folder), seed=chosen.seed, cases=chosen.cases, phases=chosen.phases)
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
