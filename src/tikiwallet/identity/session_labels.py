"""What a session is called in its owner's list: the browser and the system in short, from the user agent.

People end a session that they don't know, so they have to recognise the others. The whole user agent would say more
about a person than that needs, so it is never stored.
"""

from typing import Final

USER_AGENT_LENGTH_MAX: Final = 512  # what is looked at; real ones are shorter
TIKI: Final = "tiki"

# The first that is found names it: every browser also claims to be some of those below it.
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def label_of(user_agent: str) -> str:
    """Return e.g. "Chrome · Android", "tiki" for the command line, "" for what isn't known. At most 40 characters."""
    text = user_agent[:USER_AGENT_LENGTH_MAX]
    if text == TIKI or text.startswith(f"{TIKI}/"):
        return TIKI
    found = (next((name for mark, name in table if mark in text), "") for table in (BROWSERS, SYSTEMS))
    return " · ".join(name for name in found if name)
