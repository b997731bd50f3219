"""Run one ONNX file with numpy and onnxruntime alone and compare it with recorded answers.

    python stock_only.py MODEL.onnx DATA.npz [--tolerance X]

DATA.npz holds arrays ``in.NAME`` (inputs), ``out.NAME`` (outputs at the file's own T) and
``out@T.NAME`` (outputs at another T, compared where the file takes an input ``timesteps``).
Bits must be the same, or with --tolerance the values within X. Prints one line; exits 0 if all
is the same, 3 if not. Copy it anywhere: it needs no other file.
"""

import argparse
import re
import sys

import numpy as np
import onnxruntime

TIMESTEPS = "timesteps"


def load(path):
    """The file in an onnxruntime session, which complains of errors only."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def recorded(path):
    """Inputs by name, and outputs by T (None: the file's own) and name."""
    inputs, outputs = {}, {}
    with np.load(path, allow_pickle=False) as data:
        for key in data.files:
            match = re.fullmatch(r"(in|out(?:@(\d+))?)\.(.+)", key)
            if match is None:
                raise ValueError(f"array '{key}' is neither in.NAME, out.NAME nor out@T.NAME")
            kind, steps, name = match.groups()
            if kind == "in":
                inputs[name] = data[key]
            else:
                outputs.setdefault(steps and int(steps), {})[name] = data[key]
    if None not in outputs:
        raise ValueError("no array out.NAME, so there is nothing to compare with")
    return inputs, outputs


def difference(got, want, tolerance):
    """What is different, or an empty text."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"is {got.dtype}{list(got.shape)}, not {want.dtype}{list(want.shape)}"
    gaps = np.abs(got.astype(np.float64) - want.astype(np.float64)).ravel()
    if tolerance is None:
        bits = [np.frombuffer(a.tobytes(), np.uint8).reshape(a.size, -1) for a in (got, want)]
        wrong = (bits[0] != bits[1]).any(axis=1) if got.size else np.zeros(0, bool)
    else:
        wrong = ~(gaps <= tolerance)
    if not wrong.any():
        return ""
    return f"differs in {int(wrong.sum())} of {wrong.size} values by up to {gaps.max():g}"


def compare(model, data, tolerance):
    """Differences, the T that were compared, and those that the file does not take."""
    session = load(model)
    inputs, outputs = recorded(data)
    free = TIMESTEPS in [i.name for i in session.get_overridable_initializers()]
    found, compared, refused = [], [], []
    for steps in sorted(outputs, key=lambda t: t or 0):
        label = "default" if steps is None else str(steps)
        feeds = dict(inputs)
        if steps is not None:
            if not free:
                refused.append(label)
                continue
            feeds[TIMESTEPS] = np.array(steps, dtype=np.int64)
        names = sorted(outputs[steps])
        for name, got in zip(names, session.run(names, feeds), strict=True):
            text = difference(np.asarray(got), outputs[steps][name], tolerance)
            if text:
                found.append(f"{name} at T = {label} {text}")
        compared.append(label)
    return found, compared, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--tolerance", type=float, help="largest difference that is allowed")
    args = parser.parse_args()
    version = f"onnxruntime {onnxruntime.__version__}"
    try:
        found, compared, refused = compare(args.model, args.data, args.tolerance)
    except Exception as error:  # whatever it is, the file does not run here
        print(f"FAILED {args.model}: {' '.join(str(error).split())} ({version})")
        return 3
    if found:
        print(f"DIFFERENT {args.model}: {'; '.join(found)} ({version})")
        return 3
    note = f"; T is fixed, not compared: {', '.join(refused)}" if refused else ""
    print(f"same {args.model}: T = {', '.join(compared)}{note} ({version})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
