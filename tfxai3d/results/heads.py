"""What a model's answer means: logits, probabilities, one column for two classes, or a value.

    head             the model's answer             scores that are explained     their probabilities
    "logits"         any numbers (B,C)              as they are                   softmax
    "probabilities"  a softmax (B,C)                what goes into the softmax    softmax
    "sigmoids"       C independent sigmoids (B,C)   what goes into the sigmoids   sigmoid
    "binary"         p or its logit z (B,1)         -z and z, of class 0 and 1    sigmoid: 1 - p and p
    "regression"     a value (B,1)                  as it is                      none

Where what goes into a softmax cannot be seen, as in a SavedModel, the logarithms of the probabilities stand
for it: they differ from it by the same number for all classes.
"""

from typing import Literal, get_args

import numpy as np

from tfxai3d.errors import UserError

Head = Literal["logits", "probabilities", "sigmoids", "binary", "regression"]
HEADS: tuple[Head, ...] = get_args(Head)
SOFTMAX: tuple[Head, ...] = ("logits", "probabilities")


def log_probabilities(scores: np.ndarray, head: Head = "logits") -> np.ndarray:
    """Returns the logarithms of the probabilities of all classes (...,C).

    Raises:
        UserError: If the scores are values, not of classes.
    """
    check_classes(head)
    scores = np.asarray(scores)
    if head not in SOFTMAX:
        return -np.logaddexp(np.zeros((), scores.dtype), -scores)
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def probabilities(scores: np.ndarray, head: Head = "logits") -> np.ndarray:
    """Returns the probabilities of all classes (...,C); see `log_probabilities`."""
    return np.exp(log_probabilities(scores, head))


def scores_of(answers: np.ndarray, head: Head, activated: bool) -> np.ndarray:
    """Returns the scores (...,C) of a model's answers.

    Args:
        answers: What the model returns, (...,C), one column where it is "binary".
        head: What they mean.
        activated: Whether they are probabilities already.
    """
    if activated:
        p = np.asarray(answers, np.float64)
        tiny = np.finfo(np.float64).tiny
        answers = np.log(np.maximum(p, tiny))
        if head not in SOFTMAX:
            answers = answers - np.log(np.maximum(1 - p, tiny))
    if head == "binary" and answers.shape[-1] == 1:
        answers = np.concatenate([-answers, answers], axis=-1)
    return answers


def told_by(answers: np.ndarray, last: str = "") -> tuple[Head, bool]:
    """Tells the head from answers (...,C), and whether they are probabilities already.

    Args:
        answers: Of inputs of several scales, so that logits hardly look like probabilities.
        last: The operation that made them, "Softmax" or "Sigmoid"; "hidden" if it cannot be seen.
    """
    one = answers.shape[-1] == 1
    within = bool(((answers >= 0) & (answers <= 1)).all())
    if last == "Softmax" or (within and not one and np.allclose(answers.sum(axis=-1), 1, atol=1e-3)):
        return "probabilities", True
    if last == "Sigmoid" or (last == "hidden" and within and bool(((answers > 0) & (answers < 1)).any())):
        return ("binary" if one else "sigmoids"), True
    return ("regression" if one else "logits"), False


def check_classes(head: Head) -> None:
    """Raises a UserError if a model has no classes but a value."""
    if head == "regression":
        raise UserError(
            "this needs a model of classes, and this one returns a value; if its one column is the logit of "
            "two classes, say head='binary'"
        )
