"""Damage real files at random and put them through the library: done, or one line that says why.

``python tests/fuzz/corrupt.py -n 5000`` damages so many files and prints what it finds; the exit
code is 1 if there is anything. With ``--keep`` the files behind the findings stay.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import fields
import mutations
import numpy as np

import onnx2snn

ROOT = Path(__file__).parents[2]
DIGITS = (1, 8, 8)
MNIST = (1, 28, 28)
#: Seconds that one file may take.
MOST_SECONDS = 10
#: After so many files a worker is replaced, so that small leaks are not taken for one file's.
FILES_FOR_A_WORKER = 400
#: By the verb of the worker, what changes a value and keeps the file readable.
FIELDS = {
    "source": fields.damaged_model,
    "spiking": fields.damaged_model,
    "plan": fields.damaged_json,
}
#: Answers of a worker that are no findings.
SOUND = ("done", "refused")


@dataclass(frozen=True)
class Case:
    """A file, and what is done with it.

    Attributes:
        name: for people.
        verb: of the worker.
        data: the file's bytes, undamaged.
        shape: of one sample.
        batch: samples in a batch.
        recipe: of a conversion.
        timesteps: of a conversion; None for the recipe's own.
        model: a sound file that the verb needs beside the damaged one.
        damage: whether there is any.
    """

    name: str
    verb: str
    data: bytes
    shape: tuple[int, ...] = DIGITS
    batch: int = 2
    recipe: str = "auto"
    timesteps: int | None = 2
    model: str = ""
    damage: bool = True
    places: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        binary = self.verb in {"source", "spiking"}
        places = mutations.structure(self.data) if binary else np.arange(len(self.data))
        object.__setattr__(self, "places", places)

    def damaged(self, rng: np.random.Generator) -> bytes:
        """Half of the time it stays readable; else names, attributes and sizes are hit most."""
        if not self.damage:
            return self.data
        readable = FIELDS.get(self.verb)
        if readable and rng.random() < 0.5:
            return readable(self.data, rng)
        places = self.places if rng.random() < 0.9 else np.arange(len(self.data))
        return mutations.mutated(self.data, places, rng)

    def task(self, path: Path) -> str:
        task = asdict(self)
        del task["data"], task["places"]
        return json.dumps({**task, "path": str(path)})


def own_cases(folder: Path) -> list[Case]:
    """The repository's own networks, spiking files and plans made of them, and data.

    Args:
        folder: where files go that the worker needs beside the damaged one.
    """
    models = ROOT / "models"
    int8 = ROOT / "onnx2snn" / "demo_data" / "digits_cnn_int8.onnx"
    asymmetric = models / "digits_cnn_int8_asymmetric.onnx"
    floats = models / "digits_cnn_float.onnx"
    exactly = {"recipe": "exact-radix", "timesteps": None}
    made = onnx2snn.convert(int8, 4, threshold="quantizer")
    free = folder / "free.snn.onnx"
    made.save(free)
    bits = onnx2snn.convert(asymmetric, **exactly)
    plan, bits_plan = made.plan.to_json().encode(), bits.plan.to_json().encode()
    return [
        Case("float", "source", floats.read_bytes()),
        Case("int8", "source", int8.read_bytes()),
        Case("int8, exactly", "source", int8.read_bytes(), **exactly),
        Case("asymmetric, exactly", "source", asymmetric.read_bytes(), **exactly),
        Case("mnist", "source", (models / "mnist_cnn_float.onnx").read_bytes(), MNIST),
        Case("spiking", "spiking", free.read_bytes()),
        Case("spiking, exactly", "spiking", bits.model.SerializeToString()),
        Case("plan", "plan", plan, model=str(int8)),
        Case("plan, exactly", "plan", bits_plan, model=str(asymmetric)),
        Case("data", "data", (models / "digits_calibration.npz").read_bytes(), model=str(free)),
    ]


#: Networks of the data folder by the shape of a sample: small files of every dialect.
STRANGERS = {
    "onnxzoo_mnist_cnn": MNIST,
    "sinabs_mnist_cnn": MNIST,
    "qonnx_mnist_TFC_2W2A": (1, 28, 28),
    "hls4ml_cifar10_rn08_w8a8pow2_qdq": (3, 32, 32),
    "hls4ml_cifar10_rn08_w8a8pow2_qonnx": (3, 32, 32),
    "mlperftiny_cifar10_resnet8_bn_float": (3, 32, 32),
    "mlperftiny_cifar10_resnet8_int8_qdq": (3, 32, 32),
    "mlperftiny_cifar10_resnet8_int8_qoperator_ort": (3, 32, 32),
    "distiller_cifar10_resnet8": (3, 32, 32),
}


def cases_of_others(data_folder: Path) -> list[Case]:
    """Networks that other people trained and exported."""
    return [
        Case(name, "source", (data_folder / "models" / f"{name}.onnx").read_bytes(), shape)
        for name, shape in STRANGERS.items()
    ]


@dataclass(frozen=True)
class Hunt:
    """What became of the damaged files.

    Attributes:
        outcomes: by case, how many were "done" and how many "refused".
        findings: everything else.
    """

    outcomes: dict[str, Counter[str]]
    findings: list[Finding]


@dataclass(frozen=True)
class Finding:
    """What is wrong with how a damaged file was taken."""

    case: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.case}, number {self.number}: {self.what}"


class Worker:
    """A worker process, started anew when it ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._done = 0

    def ask(self, task: str) -> str:
        """The worker's answer; a hang and a crash are answers too."""
        process = self._running()
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(MOST_SECONDS, kill)
        timer.start()
        try:
            process.stdin.write(task + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        timer.cancel()
        if line:
            answer: str = json.loads(line)
            if answer not in SOUND:
                self.close()  # whatever it did, the next file finds a fresh process
            return answer
        code = process.wait()
        self.close()
        return f"not done after {MOST_SECONDS} s" if late.is_set() else f"crash, exit code {code}"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._done >= FILES_FOR_A_WORKER:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(Path(__file__).with_name("worker.py"))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
            # The time to start is no file's.
            self._process.stdout.readline()
            self._done = 0
        self._done += 1
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.kill()
            self._process.wait()
            self._process = None


def hunt(
    cases: Sequence[Case],
    count: int,
    seed: int,
    folder: Path,
    *,
    start: int = 0,
    workers: int = 2,
    report: Callable[[Finding], None] = lambda finding: None,
) -> Hunt:
    """Damage files in turn, ``count`` in all.

    Args:
        cases: what is damaged.
        count: number of damaged files.
        seed: with a file's number it says what is done to it.
        folder: for the damaged files; those behind findings stay.
        start: the first number.
        workers: processes.
        report: called with each finding, in the order they come.
    """
    numbers: Iterator[int] = iter(range(start, start + count))
    lock = threading.Lock()
    found = Hunt({c.name: Counter() for c in cases}, [])

    def work() -> None:
        worker = Worker()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            case = cases[number % len(cases)]
            path = folder / f"damaged{number}.onnx"
            path.write_bytes(case.damaged(np.random.default_rng([seed, number])))
            what = worker.ask(case.task(path))
            with lock:
                if what in SOUND:
                    found.outcomes[case.name][what] += 1
                    path.unlink()
                else:
                    found.findings.append(Finding(case.name, number, what))
                    report(found.findings[-1])
        worker.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.findings.sort(key=lambda f: f.number)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--count", type=int, default=1000, help="damaged files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="number of the first file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sound", action="store_true", help="damage nothing: all must be done")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    parser.add_argument("--keep", type=Path, help="folder for the files behind findings")
    given = parser.parse_args()
    data = Path(os.environ.get("ONNX2SNN_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cases = own_cases(Path(temporary))
        if (data / "models").is_dir():
            cases += cases_of_others(data)
        cases = [c for c in cases if given.only in c.name]
        if given.sound:
            cases = [replace(c, damage=False) for c in cases]
        found = hunt(
            cases,
            given.count,
            given.seed,
            folder,
            start=given.start,
            workers=given.workers,
            report=partial(print, flush=True),
        )
    for name, outcomes in found.outcomes.items():
        print(f"{name}: {outcomes['done']} done, {outcomes['refused']} refused")
    print(f"{given.count} damaged files, {len(found.findings)} findings")
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
