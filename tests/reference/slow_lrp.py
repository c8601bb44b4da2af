"""Layer-wise relevance propagation of dense layers as its formulas say it, contribution by contribution."""

import numpy as np

TINY = 1e-6


def passed(x, weights, bias, relevance, rule):
    """Returns the relevance (J,) of inputs (J,) for that of outputs (K,) and weights (J,K)."""
    found = np.zeros(len(x))
    for column, b, r in zip(weights.T, bias, relevance, strict=True):
        shares = rule([a * w for a, w in zip(x, column, strict=True)], b)
        found += [share * r for share in shares]
    return found


def away(x, by=TINY):
    return x + (by if x >= 0 else -by)


def epsilon(by):
    return lambda parts, b: [c / away(sum(parts) + b, by) for c in parts]


def alpha_beta(alpha):
    def rule(parts, b):
        above = sum(c for c in parts if c > 0) + max(b, 0)
        below = sum(c for c in parts if c < 0) + min(b, 0)
        return [
            alpha * c / away(above) if c > 0 else (1 - alpha) * c / (below - TINY) if c < 0 else 0.0
            for c in parts
        ]

    return rule


def gamma(factor):
    def rule(parts, b):
        sign = 1 if sum(parts) + b > 0 else -1
        raised = [c * (1 + factor) if c * sign > 0 else c for c in (*parts, b)]
        return [c / away(sum(raised)) for c in raised[:-1]]

    return rule


def box(x, low, high, weights, relevance):
    """Returns the relevance (J,) of bounded inputs by z_B."""
    up, down = np.maximum(weights, 0), np.minimum(weights, 0)
    parts = x[:, None] * weights - low * up - high * down
    return (parts / (parts.sum(axis=0) + TINY)) @ relevance
