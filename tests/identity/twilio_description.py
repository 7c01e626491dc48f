"""Twilio's own description of its API (OpenAPI), as published in an npm package under the MIT licence.

Only the one file is taken from the package, so that what else the package depends on needn't be installed. `make
setup-dev` fetches it; run this module to do the same.
"""

import base64
import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tikiwallet.web.setup import find_node

PACKAGE = "@twilio-alpha/mcp@0.7.0"
SHA512 = "YsUde1pMXwqHm8Cvq9JdtsyvclVCC/f/V+FmxTNN04u5Qt5aapkbQgcfqBYQ0xcmvATBNswgPDo3MPVaCtZK8Q=="
MEMBER = "package/twilio-oai/spec/json/twilio_api_v2010.json"
KEPT = Path(__file__).parents[2] / ".venv" / "twilio_api_v2010.json"


def fetch() -> None:
    """Fetch the package, check that it is the one that was chosen, and keep the description."""
    node, npm = find_node()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    with tempfile.TemporaryDirectory() as folder:
        command = [*npm, "pack", "--silent", PACKAGE]
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        assert base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() == SHA512
        with tarfile.open(packed) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            fresh = KEPT.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(member.read())
            fresh.replace(KEPT)  # whole or not at all, also when two test processes come at once


def description() -> dict[str, Any]:
    if not KEPT.exists():
        fetch()
    found: dict[str, Any] = json.loads(KEPT.read_bytes())
    return found


if __name__ == "__main__":
    fetch()
