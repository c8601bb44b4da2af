"""Rules for integrals from 0 to 1."""

from typing import Literal, get_args

import numpy as np

from tfxai3d.errors import UserError

QuadratureRule = Literal["gauss_legendre", "trapezoid", "riemann_left", "riemann_middle", "riemann_right"]


def nodes_and_weights(rule: QuadratureRule, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where to evaluate the integrand, in [0,1], and the weights of the values; float64 (steps,).

    The trapezoid rule takes both ends and is exact for polynomials of degree 1, as is "riemann_middle";
    Gauss-Legendre for degree 2 * steps - 1; the other two for constants.

    Raises:
        UserError: If the rule is unknown or has too few steps.
    """
    if rule not in get_args(QuadratureRule):
        raise UserError(f"unknown rule {rule!r}; known are {', '.join(get_args(QuadratureRule))}")
    fewest = 2 if rule == "trapezoid" else 1
    if steps < fewest:
        raise UserError(f"steps must be at least {fewest} for the rule {rule}, it is {steps}")
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1) / 2, weights / 2
    if rule == "trapezoid":
        weights = np.full(steps, 1 / (steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, steps), weights
    shift = {"riemann_left": 0.0, "riemann_middle": 0.5, "riemann_right": 1.0}[rule]
    return (np.arange(steps) + shift) / steps, np.full(steps, 1 / steps)
