"""Two phones in a real browser: Chromium through Playwright, both of which `make test` installs."""

from browser.fixtures import *  # noqa: F403 - pytest finds fixtures in this file only
