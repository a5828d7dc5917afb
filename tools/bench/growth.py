"""How a cost grows with size: the exponent of the power law that fits best."""

import math
import statistics
from collections.abc import Sequence

import msgspec

LIMIT = 1.1
"""A slope above this is more than linear."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of one thing at several sizes."""

    name: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    """CPU for everything at that size."""
    longest: Sequence[float] = ()
    """CPU seconds of the longest single step at that size, where steps are known."""

    @property
    def slope(self) -> float:
        """Of the regression line of log cost over log size."""
        return slope(self.sizes, self.seconds)

    @property
    def last_slope(self) -> float:
        """Of the last step alone: a fixed cost flattens the whole line, hardly its end."""
        return slope(self.sizes[-2:], self.seconds[-2:])

    def table(self) -> str:
        """The figures, in lines."""
        each = "  ".join(
            f"{size}: {1e6 * seconds / size:.0f}"
            for size, seconds in zip(self.sizes, self.seconds, strict=True)
        )
        mark = "" if self.slope <= LIMIT else "  SUPERLINEAR"
        longest = f", longest step {1000 * max(self.longest):.1f} ms" if self.longest else ""
        head = f"{self.name}: slope {self.slope:.2f}, at the end {self.last_slope:.2f}{longest}{mark}"
        return f"{head}\n    µs for each of {each}"


def slope(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The exponent of the power law that fits the costs best."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    ).slope
