"""shap's PermutationExplainer in a process of its own, which asks for the scores of its coalitions.

It writes how many coalitions it asks for (8 bytes) and the coalitions, one byte a point, and reads as many
float64 scores; at the end a 0, the seconds of the processor that shap itself took, and the values.
"""

import sys
import time

import numpy as np
import shap


def main(points: int) -> None:
    def score(held: np.ndarray) -> np.ndarray:
        sys.stdout.buffer.write(len(held).to_bytes(8, "little") + held.astype(bool).tobytes())
        sys.stdout.buffer.flush()
        return np.frombuffer(sys.stdin.buffer.read(8 * len(held)), "<f8")

    explainer = shap.PermutationExplainer(score, np.zeros((1, points)), seed=0)
    began = time.process_time()
    found = explainer(np.ones((1, points)), max_evals=2 * points + 1, silent=True)
    told = np.array([time.process_time() - began, *found.values[0]], "<f8")
    sys.stdout.buffer.write((0).to_bytes(8, "little") + told.tobytes())


if __name__ == "__main__":
    main(int(sys.argv[1]))
