"""The web wallet's libraries, set up if they aren't yet."""

import pytest

from tikiwallet.web.setup import set_up


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    """What the lock file says is bundled in `vendor/`; nothing to do when it is there already."""
    set_up()
