"""Draws the pictures of docs/methods: one chair, explained by each method.

python docs/method_pictures.py

The chair is procedural and the network shipped, so nothing is downloaded. Pictures that are there already are
left; remove those that are to be drawn again.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from tfxai3d import data, explain, models, view

WIDTH = 720
FOLDER = Path(__file__).parent / "pictures" / "methods"


def main() -> None:
    """Draws what is missing."""
    model = models.from_preset("pointnet_modelnet40")
    points = data.shapes.sample_shape(data.shapes.make_shape("chair", 0), 1024, 0).points[None]
    target = explain.class_number("chair", model.class_names)
    for method in tqdm(explain.method_names(), unit="method", disable=None):
        path = FOLDER / f"{method}.png"
        if not path.exists():
            explainer = explain.create(method, model, seed=0, **_options(method, points))
            view.render_png(path, explainer(points, target))
            with Image.open(path) as picture:  # a fiftieth of the bytes, for a page of the docs
                small = picture.convert("RGB").resize((WIDTH, WIDTH * picture.height // picture.width))
            small.quantize(128).save(path, optimize=True)


def _options(method: str, points: np.ndarray) -> dict[str, object]:
    """Returns what a method needs beside its defaults to explain one chair."""
    if method == "expected_gradients":
        others = (data.shapes.draw_cloud("stool", points.shape[1], 1, number).points for number in range(8))
        return {"baselines": np.stack(list(others)), "samples": 50}
    return {"units": "clusters", "num_clusters": 20}


if __name__ == "__main__":
    main()
