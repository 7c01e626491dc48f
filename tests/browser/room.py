"""What has no room on a screen."""

CHEAP_PHONE = {"width": 360, "height": 640}
# What doesn't fit: a page that scrolls sideways, an action outside it, or one of which
# something is cut off.
CUT_OFF = """() => {
  const page = document.documentElement;
  const found = page.scrollWidth > innerWidth ? [`the page is ${page.scrollWidth} wide`] : [];
  for (const item of document.querySelectorAll("a, button, input, select, textarea, summary, h1, h2, label")) {
    if (!item.checkVisibility({ visibilityProperty: true }) || item.matches(".file input")) continue;
    const { left, right } = item.getBoundingClientRect();
    const isCut = item.matches("a, button, summary, h1, h2") && item.scrollWidth > item.clientWidth + 1 &&
      getComputedStyle(item).display !== "inline";
    if (left < -0.5 || right > innerWidth + 0.5 || isCut) {
      found.push(`${left.toFixed(0)} to ${right.toFixed(0)}${isCut ? ", cut" : ""}: ${item.outerHTML.slice(0, 90)}`);
    }
  }
  return found;
}"""
