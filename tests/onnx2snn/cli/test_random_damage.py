"""Files damaged at random: done or one line, soon, and never much memory."""

import time

import numpy as np
import pytest


def damaged(data, rng):
    """Bytes with a bit, a byte or some bytes changed, removed or added."""
    changed = bytearray(data)
    # Half of the time where names and attributes are, not weights.
    place = int(rng.integers(len(data)) if rng.random() < 0.5 else -1 - rng.integers(6000))
    place %= len(data)
    match rng.integers(4):
        case 0:
            changed[place] ^= 1 << int(rng.integers(8))
        case 1:
            changed[place] = int(rng.integers(256))
        case 2:
            del changed[place : place + int(rng.integers(1, 9))]
        case 3:
            changed[place:place] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("verb", ["convert", "run"])
def test_random_damage(seed, verb, files, invoke, folder):
    """Whatever is in the file: done or one line, soon."""
    rng = np.random.default_rng(seed)
    data = (files.int8 if verb == "convert" else files.spiking).read_bytes()
    options = {"convert": ("-T", "2", "-o"), "run": ("-T", "2", "-i", files.few, "-o")}[verb]
    codes = []
    for _ in range(15):
        (folder / "damaged.onnx").write_bytes(damaged(data, rng))
        started = time.monotonic()
        answer = invoke(verb, "damaged.onnx", *options, "out")
        assert time.monotonic() - started < 10
        assert answer.code in {0, 1}, answer.err
        codes.append(answer.code)
        if answer.code == 1:
            assert answer.err.startswith("error: damaged.onnx: "), answer.err
            assert len(answer.err.splitlines()) == 1
            assert "a defect of onnx2snn" not in answer.err
        assert (folder / "out").exists() == (answer.code == 0)
        (folder / "out").unlink(missing_ok=True)
        assert [p.name for p in folder.iterdir()] == ["damaged.onnx"]
    assert 1 in codes
