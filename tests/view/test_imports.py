import subprocess
import sys

HEAVY = ("tensorflow", "keras", "open3d", "matplotlib", "trimesh", "scipy")


def test_import_is_light():
    code = f"import sys, tfxai3d.view; print(*[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_drawing_loads_no_tensorflow(tmp_path, explanation):
    explanation.save(tmp_path / "e.npz")
    code = (
        "import sys\n"
        "from tfxai3d import view\n"
        "from tfxai3d.results.explanation import Explanation\n"
        "e = Explanation.load(sys.argv[1])\n"
        "view.write_ply(sys.argv[2], e, colormap='green_red')\n"
        "import tfxai3d.view.picture.open3d_process\n"
        "print('tensorflow' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "e.npz"), str(tmp_path / "e.ply")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
