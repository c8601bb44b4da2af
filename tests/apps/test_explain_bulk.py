"""The program as its users meet it, in one process."""

import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("apache_beam")

CLOUDS = np.random.default_rng(3).uniform(-1, 1, (6, 20, 3)).astype("float32")


@pytest.fixture
def run(run_app, tiny_presets, tmp_path):
    def run(*arguments):
        model = f"--model={tiny_presets / 'points'}"
        return run_app("explain_bulk", model, "--steps=2", f"--output_dir={tmp_path / 'out'}", *arguments)

    return run


def ids(folder):
    found = []
    for path in sorted(folder.glob("explanations-*.tfrecord")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            (name,) = tf.train.Example.FromString(raw).features.feature["id"].bytes_list.value
            found.append(name.decode())
    return found


def test_procedural_clouds_and_once_more(run, tmp_path):
    flags = ["--num_examples=5", "--num_points=16", "--shard_size=2"]
    code, out, err = run(*flags)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "integrated_gradients: explained 5, rejected 0; 3 files",
        f"results in {tmp_path / 'out'}",
    ]
    source = tmp_path / "out" / "shapes-5-16-0.h5"
    assert ids(tmp_path / "out" / "integrated_gradients") == [f"{source.as_posix()}#{i}" for i in range(5)]
    code, out, err = run(*flags)  # the model is exported anew and counts as the same
    assert (code, err) == (0, "")
    assert (
        out.splitlines()[0] == "integrated_gradients: explained 0, rejected 0; 3 files, 3 of them were there"
    )


def test_each_method_has_a_folder(run, tmp_path):
    flags = ["--num_examples=3", "--num_points=16", "--methods=vanilla_gradient,gradient_times_input"]
    code, out, err = run(*flags)
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()[:2]] == [
        "vanilla_gradient",
        "gradient_times_input",
    ]
    folders = tmp_path / "out" / "vanilla_gradient", tmp_path / "out" / "gradient_times_input"
    assert ids(folders[0]) == ids(folders[1])
    assert len(ids(folders[0])) == 3


def test_a_modelnet_folder_and_what_is_rejected(run, tmp_path):
    clouds = CLOUDS.copy()
    clouds[2, 0, 0] = np.inf
    with h5py.File(tmp_path / "shard.h5", "w") as file:
        file["data"], file["label"] = clouds, np.zeros((6, 1), np.uint8)
    (tmp_path / "test_files.txt").write_text("somewhere/else/shard.h5\n")
    code, out, err = run(f"--data_dir={tmp_path}", "--methods=vanilla_gradient")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "vanilla_gradient: explained 5, rejected 1; 1 files"
    (line,) = (
        (tmp_path / "out" / "vanilla_gradient" / "rejected-00000-of-00001.jsonl").read_text().splitlines()
    )
    assert json.loads(line) == {
        "id": f"{(tmp_path / 'shard.h5').as_posix()}#2",
        "reason": "holds NaN or infinite coordinates",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=a", "--data_dir=b"], "give --input or --data_dir, not both"),
        (["--input=nothing/*.h5"], "nothing/*.h5: matches no file"),
        (["--data_dir=nothing"], "no such file; give a ModelNet40 HDF5 folder"),
        (["--input=a", "--num_examples=3"], "--num_examples is the number of procedural clouds"),
        (["--methods=lemon"], "unknown method 'lemon'"),
        (["--saved_model=nothing", f"--input={__file__}"], "bulk runs read"),
    ],
)
def test_mistakes(run, arguments, message, tmp_path):
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert not (tmp_path / "out").exists()


def test_a_saved_model_of_a_stranger(run, tmp_path):
    np.save(tmp_path / "clouds.npy", CLOUDS)
    module = tf.Module()
    written = str(tmp_path / "written")

    def serve(points):
        with tf.control_dependencies([tf.io.write_file(written, "was here")]):
            return {"logits": tf.reduce_sum(points, axis=1)}

    module.serve = tf.function(serve, [tf.TensorSpec((None, None, 3), name="points")], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.serve})
    flags = [
        f"--saved_model={tmp_path / '1'}",
        f"--input={tmp_path / 'clouds.npy'}",
        "--methods=vanilla_gradient",
    ]
    code, out, err = run(*flags)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "holds the operation WriteFile in the function" in err
    assert "--trust_saved_model" in err
    assert not (tmp_path / "written").exists()
    code, out, err = run(*flags, "--trust_saved_model")
    assert (code, err) == (0, "")
    assert out.startswith("vanilla_gradient: explained 6, rejected 0")
    assert (tmp_path / "written").exists()


def test_nothing_explained_is_an_error_with_the_commonest_reason(run, tmp_path):
    np.save(tmp_path / "bad.npy", np.full((3, 20, 3), np.nan, "float32"))
    code, out, err = run(f"--input={tmp_path / 'bad.npy'}", "--num_points=20")
    assert code == 1
    assert "explained 0, rejected 3" in out
    assert err.startswith("error: nothing was explained, most often because: ")
    assert "NaN" in err
