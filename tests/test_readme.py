"""What the README and the guide show works as shown."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from onnx2snn.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the files that the README's examples name."""
    shutil.copy(ROOT / "models" / "digits_cnn_float.onnx", tmp_path / "model.onnx")
    shutil.copy(ROOT / "models" / "digits_calibration.npz", tmp_path / "calib.npz")
    shutil.copy(ROOT / "onnx2snn" / "demo_data" / "digits_cnn_int8.onnx", tmp_path / "int8.onnx")
    with np.load(ROOT / "onnx2snn" / "demo_data" / "digits_heldout.npz") as data:
        images, labels = data["images"][:40], data["labels"][:40]
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    np.savez(tmp_path / "x.npz", input=(images / 16).astype(np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_lines_run_in_their_order(workplace, capsys):
    (shown,) = blocks("console")
    lines = [line.split("#")[0].split() for line in shown.splitlines()]
    assert len(lines) >= 6
    for words in lines:
        assert words[0] == "onnx2snn"
        with pytest.raises(SystemExit) as left:
            main(words[1:])
        assert left.value.code == 0, (words, capsys.readouterr().err)
    assert (workplace / "model.snn.onnx").is_file()
    with np.load(workplace / "y.npz") as answers:
        assert answers["logits"].shape == (40, 10)


def test_the_python_examples_run_in_their_order(workplace):
    first, second = blocks("python")
    seen = {}
    exec(compile(first, "README.md", "exec"), seen)
    assert seen["spikes"]["stem.relu"].shape[:2] == (32, 40)
    assert not np.array_equal(seen["logits"], seen["early"])
    alone = {}
    exec(compile(second, "README.md", "exec"), alone)
    np.testing.assert_array_equal(alone["logits"], seen["early"])


def test_every_file_that_the_pages_link_to_is_there():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
