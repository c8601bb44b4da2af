"""Dynamic network surgery in slow, plain NumPy, straight from the equations."""

import numpy as np


def forward(x, weights):
    """Two layers without bias: tanh(x @ W1) @ W2."""
    return np.tanh(x @ weights[0]) @ weights[1]


def gradients(x, y, weights):
    """Gradients of the mean squared error."""
    hidden = np.tanh(x @ weights[0])
    error = 2 * (hidden @ weights[1] - y) / y.size
    return [x.T @ ((error @ weights[1].T) * (1 - hidden**2)), hidden.T @ error]


class Optimizer:
    """SGD, momentum, Adam and AdamW of one variable, as Keras defines them.

    The betas are exact in binary: Keras rounds them to float32 in one place of Adam and not in another.
    """

    def __init__(self, name, rate=0.05, momentum=0.9, decay=0.02, betas=(0.875, 0.984375), epsilon=1e-7):
        self.name, self.rate, self.momentum, self.decay = name, rate, momentum, decay
        self.betas, self.epsilon = betas, epsilon
        self.m = self.v = 0.0
        self.steps = 0

    def __call__(self, w, g):
        self.steps += 1
        if self.name == "sgd":
            return w - self.rate * g
        if self.name == "momentum":
            self.m = self.momentum * self.m - self.rate * g
            return w + self.m
        if self.name == "adamw":
            w = w - self.rate * self.decay * w
        first, second = self.betas
        self.m = first * self.m + (1 - first) * g
        self.v = second * self.v + (1 - second) * g * g
        m, v = self.m / (1 - first**self.steps), self.v / (1 - second**self.steps)
        # Keras adds epsilon before it corrects v.
        return w - self.rate * m / (np.sqrt(v) + self.epsilon / np.sqrt(1 - second**self.steps))


def surgery(w, mask, t):
    """Cuts below 0.9 t, splices from 1.1 t on, leaves what is in between."""
    new = mask.copy()
    for i in np.ndindex(w.shape):
        if abs(w[i]) < 0.9 * t:
            new[i] = False
        elif abs(w[i]) >= 1.1 * t:
            new[i] = True
    return new


def norms(rows):
    """The L2 norm of each row, the weights that read one channel."""
    return np.array([sum(w * w for w in row) ** 0.5 for row in rows])


def run_channels(batches, weights, optimizer, c):
    """Trains with one surgery of the hidden channels a step; they are cut where W2 reads them.

    Returns:
        Dense weights, mask of the channels, and how many channels were spliced.
    """
    weights, mask, spliced = [w.copy() for w in weights], np.ones(len(weights[1]), bool), 0
    t = max(norms(weights[1]).mean() + c * norms(weights[1]).std(), 0)
    optimizers = [Optimizer(optimizer) for _ in weights]
    for x, y in batches:
        masked = weights[1].copy()
        for channel in np.flatnonzero(~mask):
            masked[channel] = 0
        slopes = gradients(x, y, [weights[0], masked])
        weights = [step(w, slope) for step, w, slope in zip(optimizers, weights, slopes, strict=True)]
        new = surgery(norms(weights[1]), mask, t)
        spliced += int((new & ~mask).sum())
        mask = new
    return weights, mask, spliced


def run(batches, weights, optimizer, c):
    """Trains with one surgery a step.

    Returns:
        Dense weights, masks, and how many weights were spliced.
    """
    weights = [w.copy() for w in weights]
    masks = [np.ones(w.shape, bool) for w in weights]
    thresholds = [max(np.abs(w).mean() + c * np.abs(w).std(), 0) for w in weights]
    optimizers = [Optimizer(optimizer) for _ in weights]
    spliced = 0
    for x, y in batches:
        slopes = gradients(x, y, [w * mask for w, mask in zip(weights, masks, strict=True)])
        for k, (slope, step) in enumerate(zip(slopes, optimizers, strict=True)):
            weights[k] = step(weights[k], slope)
            new = surgery(weights[k], masks[k], thresholds[k])
            spliced += int((new & ~masks[k]).sum())
            masks[k] = new
    return weights, masks, spliced
