"""Student's t distribution, as far as a verdict needs it; the standard library has only the normal one."""

from __future__ import annotations

from functools import cache
from math import exp, lgamma, log, log1p

_ENOUGH = 60  # halvings of the interval that holds a quantile
_TINY = 1e-30


@cache
def quantile(p: float, dof: float) -> float:
    """Return the value that a share `p`, more than half, of a t distribution with `dof` degrees of freedom is below."""
    low, high = 0.0, 1e3
    for _ in range(_ENOUGH):
        middle = (low + high) / 2
        if tail(middle, dof) > 1 - p:
            low = middle
        else:
            high = middle
    return high


def tail(t: float, dof: float) -> float:
    """Return the share above `t`, which is not negative: half of a regularised incomplete beta function."""
    x, a, b = dof / (dof + t * t), dof / 2, 0.5
    if x == 1:
        return 0.5
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x > (a + 1) / (a + b + 2):  # there the fraction of the other end converges faster
        return 0.5 - 0.5 * front * _fraction(b, a, 1 - x) / b
    return 0.5 * front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    upper, lower = 1.0, 1 / (1 - (a + b) * x / (a + 1) or _TINY)
    value = lower
    for k in range(1, 300):
        even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        for part in (even, odd):
            lower = 1 / (1 + part * lower or _TINY)
            upper = 1 + part / upper or _TINY
            value *= upper * lower
        if abs(upper * lower - 1) < 1e-12:
            break
    return value
