"""What a Keras model's answer is and means, as far as the model says it: no TensorFlow is needed."""

from typing import Any

import keras

from tfxai3d.errors import UserError
from tfxai3d.results.heads import Head


def keras_head(model: keras.Model, output: Any = None) -> tuple[Head | None, bool | None]:
    """Returns what a Keras model's last activation says of its head; None where it takes a call to know.

    Args:
        model: The model.
        output: The symbol of the output that is explained; by default its only one.
    """
    operation: Any = model
    while isinstance(operation, keras.Model):
        outputs = [output] if output is not None else getattr(operation, "outputs", None) or []
        if len(outputs) != 1:
            return None, None
        shape, operation, output = outputs[0].shape, outputs[0]._keras_history.operation, None
    one = shape[-1] == 1
    if isinstance(operation, keras.layers.Softmax):
        return "probabilities", True
    activation = getattr(operation, "activation", None)
    if activation is keras.activations.softmax:
        return "probabilities", True
    if activation is keras.activations.sigmoid:
        return ("binary" if one else "sigmoids"), True
    if activation is keras.activations.linear:
        return ("regression" if one else "logits"), False
    return None, None


def chosen(answer: Any, name: str, output: str | int | None = None) -> Any:
    """Returns the one of what a model returns that is explained, whatever array it is.

    Args:
        answer: What the model returns.
        name: What errors call the model.
        output: What picks it from several; None where there is but one, or one called "logits".

    Raises:
        UserError: If there is none, or several and none is called "logits".
    """
    if output is not None:
        try:
            answer = answer[output]
        except (KeyError, IndexError, TypeError) as error:
            raise UserError(f"output_name: {name} returns no output called {output!r}") from error
    if isinstance(answer, dict):
        answer = answer.get("logits", next(iter(answer.values())) if len(answer) == 1 else None)
    if answer is None or isinstance(answer, list | tuple):
        raise UserError(
            f"{name} must return one tensor of scores (B,C), or name one 'logits', or give output_name"
        )
    return answer
