"""Draws the figures, each as a bar beside what it must reach, so that one look tells what is missing."""

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

WIDTH, ROW, LEFT, RIGHT = 860, 30, 250, 190
REACHED, MISSED, LINE, INK = "#2f7d4f", "#b3402f", "#8a8f98", "#1c1e21"


class Goal(NamedTuple):
    """What a figure must reach: at least, or at most."""

    value: float
    is_at_most: bool = False

    def is_reached(self, figure: float) -> bool:
        """Whether `figure` is good enough."""
        return figure <= self.value if self.is_at_most else figure >= self.value

    def words(self) -> str:
        """Say it."""
        return f"{'at most' if self.is_at_most else 'at least'} {self.value:g}"


def draw(figures: Mapping[str, float], goals: Mapping[str, Goal], *, title: str) -> str:
    """Return an SVG; the line is where a figure reaches its goal."""
    keys = [key for key in goals if key in figures]
    height = 50 + ROW * len(keys)
    scale = (WIDTH - LEFT - RIGHT) / 2  # the goal is in the middle, and twice the goal at the end
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="24" font-size="15" fill="{INK}">{escape(title)}</text>',
    ]
    for number, key in enumerate(keys):
        goal, figure = goals[key], figures[key]
        top = 40 + ROW * number
        length = min(figure / goal.value, 2.0) * scale
        color = REACHED if goal.is_reached(figure) else MISSED
        parts += [
            f'<text x="12" y="{top + 16}" fill="{INK}">{escape(key)}</text>',
            f'<rect x="{LEFT}" y="{top + 3}" width="{length:.1f}" height="18" fill="{color}"/>',
            f'<text x="{WIDTH - RIGHT + 8}" y="{top + 16}" fill="{INK}">{figure:.2f} ({escape(goal.words())})</text>',
        ]
    bottom = 40 + ROW * len(keys)
    parts.append(
        f'<line x1="{LEFT + scale}" y1="36" x2="{LEFT + scale}" y2="{bottom}" stroke="{LINE}" stroke-dasharray="4 3"/>'
    )
    return "\n".join([*parts, "</svg>", ""])
