"""Draw the exchange for the README from real codes: `python -m demo.picture` writes docs/exchange.svg.

The codes are those of the protocol's vectors, so the picture is the same on every machine and can be scanned.
"""

import json
from pathlib import Path

import segno

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / "protocol" / "vectors"
TARGET = ROOT / "docs" / "exchange.svg"
PHONE_WIDTH, PHONE_HEIGHT, GAP = 250, 365, 70
CODE_SIZE = 210
STEPS = (
    ("requests", "request", "Ben asks", "for €12.50", "1  Asha scans Ben's request"),
    ("payments", "payment", "Asha pays", "€12.50 to Ben", "2  Ben scans Asha's payment"),
    ("answers", "receipt", "Ben has it", "Protected €12.50", "3  Asha scans Ben's receipt"),
)
STYLE = """
text { font-family: system-ui, sans-serif; fill: #1b2b34; }
.who { font-size: 21px; font-weight: 600; } .what { font-size: 17px; fill: #46606c; }
.step { font-size: 15px; fill: #46606c; } .good { fill: #0b6b3a; font-weight: 600; }
.phone { fill: #fff; stroke: #1b2b34; stroke-width: 3; } .paper { fill: #f4f1ea; }
.arrow { stroke: #c8502d; stroke-width: 4; fill: none; stroke-linecap: round; stroke-linejoin: round; }
.code { stroke: #1b2b34; }
"""


def code_of(file: str) -> str:
    """Return the text of the first code of a file of vectors that is accepted."""
    vectors = json.loads((VECTORS / f"{file}.json").read_text())
    return str(next(item["input"] for item in vectors if isinstance(item["input"], str) and "accept" in item["expect"]))


def draw() -> str:
    """Return the picture as SVG."""
    width = 3 * PHONE_WIDTH + 2 * GAP + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {PHONE_HEIGHT + 90}" role="img">',
        "<title>Two phones pay each other with no network: request, payment and receipt, each a code</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{PHONE_HEIGHT + 90}" rx="16"/>',
    ]
    for number, (file, _, who, what, step) in enumerate(STEPS):
        left = 30 + number * (PHONE_WIDTH + GAP)
        parts.append(_phone(left, code_of(file), who=who, what=what, step=step, good=number == len(STEPS) - 1))
        if number:
            x = left - GAP + 12
            parts.append(f'<path class="arrow" d="M{x} 230h{GAP - 28}m-12 -12l12 12l-12 12"/>')
    return "\n".join([*parts, "</svg>\n"])


def _phone(left: int, code: str, *, who: str, what: str, step: str, good: bool) -> str:
    qr = segno.make(code, error="l", boost_error=False, mode="alphanumeric")  # as every wallet shows it
    modules = qr.symbol_size(border=4)[0]
    scale = CODE_SIZE / modules
    inset = (PHONE_WIDTH - CODE_SIZE) / 2
    path = qr.svg_inline(border=4, omitsize=True, svgclass=None, lineclass="code")
    inner = path[path.index("<path") : path.index("</svg>")]
    middle = left + PHONE_WIDTH / 2
    return "\n".join(
        (
            f'<rect class="phone" x="{left}" y="24" width="{PHONE_WIDTH}" height="{PHONE_HEIGHT}" rx="26"/>',
            f'<text class="who" x="{middle}" y="72" text-anchor="middle">{who}</text>',
            f'<text class="what{" good" if good else ""}" x="{middle}" y="99" text-anchor="middle">{what}</text>',
            f'<g transform="translate({left + inset:.1f} 130) scale({scale:.4f})">{inner}</g>',
            f'<text class="step" x="{middle}" y="{PHONE_HEIGHT + 60}" text-anchor="middle">{step}</text>',
        )
    )


if __name__ == "__main__":
    TARGET.write_text(draw())
