"""A user's own files: trained on, evaluated and explained, with nothing but their folder given."""

import json

import numpy as np

from tests.reference.files import npy
from tfxai3d.explain import Explanation


def test_a_tree_is_trained_on_and_its_network_works_in_the_other_programs(run_app, tmp_path):
    random = np.random.default_rng(0)
    for name, stretch in (("flat", (1, 1, 0.1)), ("tall", (0.2, 0.2, 3))):
        for split, count in (("train", 10), ("test", 3)):
            folder = tmp_path / "tree" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                cloud = random.normal(size=(40, 3)) * stretch
                normals = cloud / np.linalg.norm(cloud, axis=1, keepdims=True)
                columns = (*cloud.T, *normals.T, random.uniform(0, 9, 40))
                table = np.rec.fromarrays(columns, names="x,y,z,normal_x,normal_y,normal_z,gps_time")
                (folder / f"{number}.npy").write_bytes(npy(table))
            (folder / f"._{number}.npy").write_bytes(b"no array")
    tree = f"--data_dir={tmp_path / 'tree'}"
    small = ("--variant=basic", "--batch_size=4", "--augment=rotate_up,jitter", "--validation_fraction=0.2")
    named = "--features=nx,ny,nz"
    code, _, err = run_app("train", tree, named, *small, "--stages=32x1", f"--output_dir={tmp_path / 'run'}")
    assert code == 0, err
    card = json.loads((tmp_path / "run" / "preset" / "card.json").read_text())
    assert (card["data"], card["test"]["examples"]) == ("tree", 6)
    config = json.loads((tmp_path / "run" / "preset" / "config.json").read_text())
    assert config["config"]["features"] == ["nx", "ny", "nz"]
    model = f"--model={tmp_path / 'run' / 'preset'}"
    code, _, err = run_app("evaluate", model, tree, "--num_points=32", f"--output_dir={tmp_path / 'scores'}")
    assert code == 0, err
    options = ("--methods=vanilla_gradient", "--num_points=32", "--nopictures")
    code, _, err = run_app(
        "explain", model, tree, "--label=tall", *options, f"--output_dir={tmp_path / 'maps'}"
    )
    assert code == 0, err
    explained = Explanation.load(tmp_path / "maps" / "tall_0" / "vanilla_gradient.npz")
    assert explained.inputs.shape == (1, 32, 6)  # the network names its columns, so no flag is needed
    np.testing.assert_allclose(np.linalg.norm(explained.inputs[..., 3:], axis=-1), 1, rtol=1e-5)
