"""Tells a leak from noise: a straight line through what was counted after each repetition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """The least squares line through values at 0, 1, 2, …"""

    start: float
    slope: float  # a repetition
    error: float  # standard error of the slope
    rise: float  # from the median of the first quarter to that of the last


@dataclass(frozen=True)
class Limit:
    """How far a count may rise over the whole soak, and why."""

    rise: float
    slope: float  # a repetition


def fit(values: Sequence[float]) -> Line:
    """Fits a line; there must be at least eight values."""
    n = len(values)
    if n < 8:
        raise ValueError(f"{n} values are too few to tell a leak from noise; 8 are needed")
    middle_x, middle_y = (n - 1) / 2, sum(values) / n
    spread = sum((x - middle_x) ** 2 for x in range(n))
    slope = sum((x - middle_x) * (y - middle_y) for x, y in enumerate(values)) / spread
    left = sum((y - middle_y - slope * (x - middle_x)) ** 2 for x, y in enumerate(values))
    quarter = n // 4
    return Line(middle_y - slope * middle_x, slope, math.sqrt(left / (n - 2) / spread), median(values[-quarter:]) - median(values[:quarter]))


def median(values: Sequence[float]) -> float:
    """Returns the middle value; the lower one of two."""
    return sorted(values)[(len(values) - 1) // 2]


def leaks(series: Mapping[str, Sequence[float]], limits: Mapping[str, Limit]) -> list[str]:
    """Names what grows: both the line and the rise are above their limits, so that neither one late peak nor a slow
    drift inside the noise counts. A series without a limit, or the other way round, is an error."""
    if set(series) != set(limits):
        raise ValueError(f"series and limits differ: {sorted(set(series) ^ set(limits))}")
    found = []
    for name, values in series.items():
        line, limit = fit(values), limits[name]
        if line.slope > limit.slope and line.rise > limit.rise:
            found.append(
                f"{name} grows by {line.slope:.3g} ± {line.error:.2g} a repetition and by {line.rise:.3g} in all; {limit.slope:.3g} and {limit.rise:.3g} are allowed"
            )
    return found


def table(series: Mapping[str, Sequence[float]]) -> str:
    """Writes first, last, highest, slope with its standard error, and rise of each series."""
    lines = [f"{'counted':<34}{'first':>12}{'last':>12}{'highest':>12}{'slope':>12}{'error':>10}{'rise':>12}"]
    for name, values in series.items():
        line = fit(values)
        lines.append(f"{name:<34}{values[0]:>12.6g}{values[-1]:>12.6g}{max(values):>12.6g}{line.slope:>12.3g}{line.error:>10.2g}{line.rise:>12.3g}")
    return "\n".join(lines) + "\n"
