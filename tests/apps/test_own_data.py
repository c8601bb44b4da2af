"""A user's own files: trained on, evaluated and explained, with nothing but their folder given."""

import json

import numpy as np

from tests.reference.files import npy


def test_a_tree_is_trained_on_and_its_network_works_in_the_other_programs(run_app, tmp_path):
    random = np.random.default_rng(0)
    for name, stretch in (("flat", (1, 1, 0.1)), ("tall", (0.2, 0.2, 3))):
        for split, count in (("train", 10), ("test", 3)):
            folder = tmp_path / "tree" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.npy").write_bytes(npy(random.normal(size=(40, 3)) * stretch))
            (folder / f"._{number}.npy").write_bytes(b"no array")
    tree = f"--data_dir={tmp_path / 'tree'}"
    small = ("--variant=basic", "--batch_size=4", "--augment=jitter", "--validation_fraction=0.2")
    code, _, err = run_app("train", tree, *small, "--stages=32x1", f"--output_dir={tmp_path / 'run'}")
    assert code == 0, err
    card = json.loads((tmp_path / "run" / "preset" / "card.json").read_text())
    assert (card["data"], card["test"]["examples"]) == ("tree", 6)
    model = f"--model={tmp_path / 'run' / 'preset'}"
    code, _, err = run_app("evaluate", model, tree, "--num_points=32", f"--output_dir={tmp_path / 'scores'}")
    assert code == 0, err
    options = ("--methods=vanilla_gradient", "--num_points=32", "--nopictures")
    code, _, err = run_app(
        "explain", model, tree, "--label=tall", *options, f"--output_dir={tmp_path / 'maps'}"
    )
    assert code == 0, err
    assert (tmp_path / "maps" / "tall_0" / "vanilla_gradient.npz").is_file()
