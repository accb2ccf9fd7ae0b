"""Scores as pictures: a line of characters for the terminal, and an SVG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from governance_adapters.commands.calibration import TOP, LabelScores

COLUMNS = 50
BAR = 30
"""How many characters the longest bar has."""
_SHADES = " .:-=+*#%@"
_WIDTH, _HEIGHT, _LEFT, _ABOVE, _BELOW = 640, 150, 60, 34, 30
_LINES = {"good": "#1f6fb2", "bad": "#b2381f"}


def shades(scores: Sequence[int], columns: int = COLUMNS) -> str:
    """How many scores lie in each of `columns` equal parts of 0 to 1, the darker the more; no score is left blank."""
    counts = [0] * columns
    for score in scores:
        counts[min(columns - 1, score * columns // TOP)] += 1
    most = max(counts, default=0) or 1
    darkest = len(_SHADES) - 1
    return "".join(_SHADES[-(-count * darkest // most)] for count in counts)


def bar(count: int, most: int, columns: int = BAR) -> str:
    """A bar as long as `count` is of `most`; what there is any of is never left blank."""
    return "#" * -(-count * columns // most) if most else ""


def ruler(marks: Mapping[str, int], columns: int = COLUMNS) -> str:
    """A line on which the first letter of each name stands at its threshold; names at one place become `*`."""
    line = [" "] * columns
    for name, threshold in marks.items():
        place = min(columns - 1, threshold * columns // TOP)
        line[place] = name[0] if line[place] == " " else "*"
    return "".join(line)


def svg(labels: Sequence[LabelScores], thresholds: Mapping[str, Mapping[str, int]]) -> str:
    """A picture of every label: the share of images at or above each threshold, good and bad, and the chosen thresholds."""
    step = _ABOVE + _HEIGHT + _BELOW
    panels = "".join(
        f'<g transform="translate({_LEFT} {number * step + _ABOVE})">{_panel(label, thresholds.get(label.label, {}))}</g>'
        for number, label in enumerate(labels)
    )
    width, height = _LEFT + _WIDTH + 20, step * len(labels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" fill="white"/>{panels}</svg>\n'
    )


def _panel(label: LabelScores, chosen: Mapping[str, int]) -> str:
    parts = [
        f'<text y="-14" font-weight="bold">{escape(label.label)}</text>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
        f'<text x="-6" y="10" text-anchor="end">all</text><text x="-6" y="{_HEIGHT}" text-anchor="end">none</text>',
    ]
    parts += [
        f'<text x="{_x(at)}" y="{_HEIGHT + 16}" text-anchor="middle">{at}</text>' for at in range(0, TOP + 1, TOP // 4)
    ]
    for number, (kind, colour) in enumerate(_LINES.items()):
        if scores := getattr(label, kind):
            parts.append(f'<path d="{_staircase(scores)}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(f'<text x="{_WIDTH - 160 + 100 * number}" y="-14" fill="{colour}">{len(scores)} {kind}</text>')
    for name, threshold in chosen.items():
        line = f'x1="{_x(threshold)}" x2="{_x(threshold)}" y1="0" y2="{_HEIGHT}"'
        parts.append(f'<line {line} stroke="#555" stroke-dasharray="4 3"/>')
        parts.append(
            f'<text x="{_x(threshold) + 3}" y="{12 if name == "deny" else 26}" fill="#555">{escape(name)}</text>'
        )
    return "".join(parts)


def _staircase(scores: Sequence[int]) -> str:
    """The share of ascending `scores` at or above each threshold: all at 0, one less beyond each score."""
    path, count = ["M0 0"], len(scores)
    for number, score in enumerate(scores, start=1):
        path.append(f"H{_x(score)} V{_HEIGHT * number / count:.1f}")
    return " ".join([*path, f"H{_WIDTH}"])


def _x(threshold: int) -> float:
    return round(_WIDTH * threshold / TOP, 1)
