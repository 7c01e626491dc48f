"""Three pictures of a run, as plain SVG: what people lost, what it cost the operator, what a phone sends."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sim.outcome import Record

WIDTH: Final = 720
HEIGHT: Final = 360
LEFT: Final = 90
BELOW: Final = 50
COLOURS: Final = ("#1b6ca8", "#c8553d")
DOTS_MAX: Final = 1500


def draw(record: Record, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of a run into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "honest-loss.svg": _loss(record),
        "operator-loss.svg": _operator(record),
        "traffic.svg": _traffic(record),
    }
    for name, svg in pictures.items():
        (folder / name).write_text(svg)
    return tuple(folder / name for name in pictures)


def _loss(record: Record) -> str:
    dots = [(shown, lost) for lost, shown in record.lost_and_shown][:DOTS_MAX]
    top = max([1, *(max(dot) for dot in dots)])
    marks = [f'<circle cx="{_x(a, top):.1f}" cy="{_y(b, top):.1f}" r="2.5" fill="{COLOURS[0]}"/>' for a, b in dots]
    line = f'<line x1="{_x(0, top)}" y1="{_y(0, top)}" x2="{_x(top, top)}" y2="{_y(top, top)}" stroke="{COLOURS[1]}"/>'
    title = "What an honest phone lost, against what its screen had shown At your risk"
    return _frame(title, "shown (minor units)", f"lost (up to {top})", [*marks, line])


def _operator(record: Record) -> str:
    losses = [day.operator_loss for day in record.days]
    bounds = [day.bound for day in record.days]
    return _lines("What the operator paid, and the most he promised", "day", "minor units", (losses, bounds))


def _traffic(record: Record) -> str:
    phones = max(1, record.phones)
    kept = [(day.bytes_up + day.bytes_down) / phones for day in record.days]
    syncs = [1000 * day.syncs / phones for day in record.days]
    title = "Bytes a phone sends and gets in a day; and syncs of a thousand phones"
    return _lines(title, "day", "bytes; syncs", (kept, syncs))


def _lines(title: str, across: str, upward: str, series: Sequence[Sequence[float]]) -> str:
    top = max([1, *(value for values in series for value in values)])
    lines = []
    for colour, values in zip(COLOURS, series, strict=True):
        last = max(1, len(values) - 1)
        points = " ".join(f"{_x(at, last):.1f},{_y(value, top):.1f}" for at, value in enumerate(values))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return _frame(title, across, f"{upward} (up to {round(top)})", lines)


def _frame(title: str, across: str, upward: str, marks: Iterable[str]) -> str:
    axes = f'<path d="M{LEFT} 40 V{HEIGHT - BELOW} H{WIDTH - 20}" fill="none" stroke="#444"/>'
    words = (
        f'<text x="{LEFT}" y="24" font-size="15">{title}</text>'
        f'<text x="{WIDTH // 2}" y="{HEIGHT - 14}">{across}</text>'
        f'<text x="16" y="{HEIGHT // 2}" transform="rotate(-90 16 {HEIGHT // 2})" text-anchor="middle">{upward}</text>'
    )
    style = 'font-family="sans-serif" font-size="12" fill="#222"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', axes, words, *marks, "</svg>\n"])


def _x(value: float, top: float) -> float:
    return LEFT + (WIDTH - 20 - LEFT) * value / top


def _y(value: float, top: float) -> float:
    return HEIGHT - BELOW - (HEIGHT - BELOW - 40) * value / top
