"""The protocol's vectors in the browser itself, whose numbers, text and signatures are not Node's."""

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Route

from browser.server import ROOT, Server

VECTORS = sorted((ROOT / "protocol" / "vectors").glob("*.json"))
TWIN = ROOT / "src" / "tikiwallet" / "web" / "tikicash"
RUNNER = ROOT / "tests" / "web" / "runner.js"
RUN_ALL = """async (vectors) => {
  const { OPERATORS_CHECKS, run } = await import("/runner.js");
  const others = vectors.filter((vector) => !OPERATORS_CHECKS.includes(vector.check));
  return Promise.all(others.map(async (vector) => [vector.id, await run(vector), vector.expect]));
}"""


def as_written(module: Path) -> Callable[[Route], None]:
    """Answer with a source file: the server itself has only the bundle, which hides what vectors are about."""
    code = module.read_text().replace("../../src/tikiwallet/web/", "/")
    return lambda route: route.fulfill(body=code, content_type="text/javascript")


def test_the_browser_says_what_the_vectors_say(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    context.route("**/runner.js", as_written(RUNNER))
    for module in TWIN.glob("*.js"):
        context.route(f"**/tikicash/{module.name}", as_written(module))
    page.goto(server.address + "start.html")
    answers = page.evaluate(RUN_ALL, [vector for file in VECTORS for vector in json.loads(file.read_text())])
    context.close()
    assert len(answers) > 180
    assert [(name, said) for name, said, expected in answers if said != expected] == []
