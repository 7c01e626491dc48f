"""What holds on every screen of the app's table: no barrier, room for a thumb, room for large letters."""

from playwright.sync_api import Browser

from browser.phones import Phone
from browser.room import CHEAP_PHONE, CUT_OFF
from browser.server import ROOT, Server
from browser.tour import Tour, all_screens

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
# By day all rules; by night those that look at colours, since nothing else is other then: SET_BY_NIGHT sees to it.
SCHEMES = {
    "light": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]},
    "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
SET_BY_NIGHT = """() => [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
  .filter((rule) => rule.media?.mediaText.includes("prefers-color-scheme"))
  .flatMap((rule) => [...rule.cssRules].flatMap((inner) => [...inner.style]))"""
# Only what was found leaves the browser: the whole of axe's answer took longer to carry than to find.
BARRIERS = """async (only) => {
  const said = await axe.run({ runOnly: only, resultTypes: ["violations"] });
  return said.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}"""
TARGET_PX_MIN = 44
LARGE_AND_WIDE = """() => {
  Object.assign(document.documentElement.style, { fontSize: "212.5%", fontFamily: '"DejaVu Sans", sans-serif' });
}"""

# What a finger aims at. A link inside a sentence is as tall as its line, and no rule asks for more; a field's label
# belongs to it.
SMALL_TARGETS = """(least) => {
  const found = [];
  for (const item of document.querySelectorAll("a, button, input, select, textarea, summary, [role=button]")) {
    const target = item.closest("label") ?? item;
    if (!target.checkVisibility({ visibilityProperty: true })) continue;
    const isInText = target.matches("a") && getComputedStyle(target).display === "inline";
    const { width, height } = target.getBoundingClientRect();
    if (!isInText && Math.min(width, height) < least) {
      found.push(`${width.toFixed(1)} x ${height.toFixed(1)}: ${target.outerHTML.slice(0, 90)}`);
    }
  }
  return found;
}"""
# Phones of the tests ask for reduced motion.
MOVING = """() => document.getAnimations().filter((one) => one.effect.getTiming().duration > 0)
  .map((one) => one.effect.target.outerHTML.slice(0, 90))"""


def look_for_barriers(who: Phone, scheme: str) -> list[str]:
    who.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    return [f"{scheme}: {one}" for one in who.page.evaluate(BARRIERS, SCHEMES[scheme])]


def look_with_large_letters(who: Phone) -> list[str]:
    """In wide letters, too: people choose them, and a phone that lacks a font takes another one's."""
    before = who.page.viewport_size
    assert before is not None
    who.page.set_viewport_size(CHEAP_PHONE)  # type: ignore[arg-type]
    who.page.evaluate(LARGE_AND_WIDE)
    found = who.page.evaluate(CUT_OFF)
    who.page.evaluate("() => document.documentElement.removeAttribute('style')")
    who.page.set_viewport_size(before)
    return [f"at 200 %: {one}" for one in found]


def test_every_screen_can_be_used_by_everybody(browser: Browser, server: Server) -> None:
    found: dict[str, list[str]] = {}

    def look(who: Phone, screen: str) -> None:
        if not who.page.evaluate("() => 'axe' in window"):
            who.page.evaluate(AXE)
        remarks = [remark for scheme in SCHEMES for remark in look_for_barriers(who, scheme)]
        remarks += [f"small target: {one}" for one in who.page.evaluate(SMALL_TARGETS, TARGET_PX_MIN)]
        remarks += [f"moves: {one}" for one in who.page.evaluate(MOVING)]
        remarks += look_with_large_letters(who)
        if remarks:
            found[screen] = remarks

    assert len(all_screens()) >= 20
    asha, ben = (Phone(browser, server, f"{name}_everywhere", is_installed=False) for name in ("asha", "ben"))
    Tour(asha, ben, look).walk()
    by_night = asha.page.evaluate(SET_BY_NIGHT)
    assert by_night
    assert [name for name in by_night if not name.startswith("--")] == ["color-scheme"]
    assert found == {}, "\n".join(f"{screen}: {one}" for screen, remarks in found.items() for one in remarks)
    for each in (asha, ben):
        each.check()
        each.context.close()
