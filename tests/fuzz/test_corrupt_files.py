"""Damaged files: done, or refused in one line; soon, and in little memory.

The networks of the data folder are damaged too where there is one. For a longer hunt run
``corrupt.py``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HUNT = Path(__file__).with_name("corrupt.py")


def hunt(folder, data_folder, count, *options):
    """What the script says, by case: done and refused."""
    environment = {**os.environ, "ONNX2SNN_DATA": str(data_folder)}
    done = subprocess.run(
        [sys.executable, HUNT, "-n", str(count), "--keep", folder, *options],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.findall(r"^(.*): (\d+) done, (\d+) refused$", done.stdout, re.MULTILINE)
    return {name: (int(fine), int(refused)) for name, fine, refused in lines}


def test_our_own_files(tmp_path):
    found = hunt(tmp_path, tmp_path / "no data", 200)
    assert len(found) == 10
    assert all(sum(counts) == 20 for counts in found.values())
    assert all(refused for _, refused in found.values())
    # Damage that is not noticed: to a weight, a name, a doc string.
    assert sum(fine for fine, _ in found.values()) > 20
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.realdata
def test_files_of_others(tmp_path, pytestconfig):
    given = os.environ.get("ONNX2SNN_DATA", "../shared/data")
    folder = (pytestconfig.rootpath / given).resolve()
    if not (folder / "models").is_dir():
        pytest.skip(f"no data folder at {folder}: set ONNX2SNN_DATA")
    found = hunt(tmp_path, folder, 63, "--only", "_")
    assert len(found) == 9
    assert all(sum(counts) == 7 for counts in found.values())


def test_sound_files_are_done(tmp_path):
    """Refusals above are of the damage, not of the file."""
    found = hunt(tmp_path, tmp_path / "no data", 10, "--sound")
    assert set(found.values()) == {(1, 0)}
