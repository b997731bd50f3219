"""Is an exact spiking network equal to its quantized source, integer by integer?

Three comparisons of every quantizer that became a population:

(a) files made with ``--arithmetic rational`` against the source in exact rational arithmetic;
(b) files made with ``--arithmetic ort`` against onnxruntime's quantized kernels;
(c) exact arithmetic against onnxruntime with graph optimization off, which computes a QDQ file in
    float32: each layer from the source's own integers. What differs must be a proven near-tie; all
    of them are listed in ``results/exactness_near_ties.csv``.

Needs ``models/akamaster_cifar10_resnet20.onnx``, ``mlperftiny_cifar10_resnet8_int8_*.onnx``,
``hls4ml_cifar10_rn08_w8a8pow2_qdq.onnx``, ``qonnx_mnist_TFC_*.onnx``, and the CIFAR-10 and MNIST
archives. Takes about an hour on two cores.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common import (
    CIFAR_TEST,
    CIFAR_TRAIN,
    DATA,
    MLPERF_INT8,
    MNIST_TEST,
    MNIST_TRAIN,
    RESNET20,
    RESULTS,
    Network,
    head,
    publish,
    table,
)
from onnxruntime.quantization import QuantFormat
from quantize import quantized

from onnx2snn import Preprocessing, convert
from onnx2snn.calibration import Dataset, open_dataset
from onnx2snn.evaluation import ExactSession, Verification, verify
from onnx2snn.evaluation.kernels import kernels_saturate
from onnx2snn.evaluation.near_ties import FloatComparison, compare_with_float32
from onnx2snn.frontend import canonicalise, read_source
from onnx2snn_runtime.inputs import tensor_info

FAST, SLOW = ("exact-radix",), ("exact-asg", "exact")
FLOAT32_BATCH = 32


@dataclass(frozen=True)
class Case:
    """A network and the comparisons that make sense for it."""

    network: Network
    in_onnxruntime: bool = True


def cases(folder: Path) -> list[Case]:
    """All networks; those that onnxruntime quantizes are written to the folder."""

    def resnet20(name: str, file: str, symmetric: bool, form: QuantFormat) -> Network:
        path = quantized(RESNET20, folder / file, symmetric=symmetric, form=form)
        return replace(RESNET20, name=f"ResNet-20 int8, onnxruntime, {name}", model=path)

    def given(name: str, file: str, *, mnist: bool = False, scale: float = 1.0) -> Network:
        test, train = (MNIST_TEST, MNIST_TRAIN) if mnist else (CIFAR_TEST, CIFAR_TRAIN)
        return Network(name, DATA / "models" / file, test, train, Preprocessing(scale=scale))

    operators = "mlperftiny_cifar10_resnet8_int8_qoperator_ort.onnx"
    pixel = 1 / 255
    return [
        Case(resnet20("QDQ symmetric", "sym.onnx", True, QuantFormat.QDQ)),
        Case(resnet20("QDQ asymmetric", "asym.onnx", False, QuantFormat.QDQ)),
        Case(resnet20("QOperator asymmetric", "operators.onnx", False, QuantFormat.QOperator)),
        Case(MLPERF_INT8),
        Case(given("MLPerf Tiny ResNet-8, CIFAR-10, int8 QOperator", operators)),
        Case(
            given(
                "hls4ml ResNet-8, CIFAR-10, powers of two, QDQ",
                "hls4ml_cifar10_rn08_w8a8pow2_qdq.onnx",
                scale=1 / 256,
            ),
        ),
        *(
            Case(
                given(f"QONNX MNIST {kind}", f"qonnx_mnist_{kind}.onnx", mnist=True, scale=pixel),
                in_onnxruntime=False,
            )
            for kind in ("TFC_2W2A", "TFC_1W2A")
        ),
    ]


def verified(case: Case, recipe: str, arithmetic: str, samples: int) -> Verification:
    """One file made and compared."""
    source, _ = read_source(case.network.model)
    spiking = convert(source, recipe=recipe, arithmetic=arithmetic).model
    session = ExactSession(spiking)
    return verify(session, source, samples_of(case, session.inputs, samples))


def compared(case: Case, samples: int) -> FloatComparison:
    """Comparison (c)."""
    source, file = read_source(case.network.model)
    canonical = canonicalise(source, file, keep_integers=True).to_model()
    infos = tuple(tensor_info(i) for i in canonical.graph.input)
    dataset = samples_of(case, infos, samples)
    return compare_with_float32(source, canonical, dataset.batches(FLOAT32_BATCH))


def samples_of(case: Case, infos: tuple, samples: int) -> Dataset:  # type: ignore[type-arg]
    """Test samples."""
    network = case.network
    return open_dataset(network.test, infos, network.preprocessing).subset(samples)


def verification_row(case: Case, recipe: str, found: Verification) -> list[str]:
    """A line of tables (a) and (b)."""
    first = "–"
    if found.first is not None:
        kernels = {p.name: p.kernel for p in found.populations}
        first = f"{found.first.population} {kernels[found.first.population]}"
    classes = "–" if found.same_class is None else f"{100 * found.same_class:.1f}"
    return [
        case.network.name,
        recipe,
        str(found.timesteps),
        str(found.settled) if found.emission == "unary" else "–",
        str(found.samples),
        str(len(found.populations)),
        f"{sum(p.compared for p in found.populations):,}",
        f"**{found.mismatches}**",
        first,
        str(found.miscounted),
        classes,
    ]


def float32_row(case: Case, found: FloatComparison) -> list[str]:
    """A line of table (c)."""
    differences = found.differences
    return [
        case.network.name,
        str(found.samples),
        f"{sum(found.compared.values()):,}",
        str(len(differences)),
        str(sum(abs(d.exact - d.float32) == 1 for d in differences)),
        str(sum(d.proven for d in differences)),
        f"{max((d.distance for d in differences), default=0):.2g}",
        f"{max((d.reach for d in differences), default=0):.2g}",
        str(sum(found.unexplained.values())),
    ]


def list_near_ties(found: Sequence[tuple[Case, FloatComparison]]) -> None:
    """Every element on which exact and float32 arithmetic differ."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "exactness_near_ties.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["network", "quantizer", "index", "exact", "float32", "distance", "reach", "proven"]
        )
        for case, comparison in found:
            for d in comparison.differences:
                index = " ".join(map(str, d.index))
                numbers = f"{d.distance:.3g}", f"{d.reach:.3g}"
                writer.writerow(
                    [case.network.name, d.quantizer, index, d.exact, d.float32, *numbers, d.proven]
                )


def main() -> None:
    """All networks and comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--slow-samples", type=int, default=10, help="of exact and exact-asg")
    parser.add_argument("--only", default="", help="networks whose names hold this text")
    arguments = parser.parse_args()
    rational, kernels, floats = [], [], []
    near_ties: list[tuple[Case, FloatComparison]] = []
    with tempfile.TemporaryDirectory() as folder:
        chosen = [c for c in cases(Path(folder)) if arguments.only in c.network.name]
        for case in chosen:
            print(case.network.name, flush=True)
            if case.in_onnxruntime:
                near_ties.append((case, compared(case, arguments.samples)))
                floats.append(float32_row(*near_ties[-1]))
                print(floats[-1], flush=True)
            for arithmetic, rows in (("rational", rational), ("ort", kernels)):
                if arithmetic == "ort" and not case.in_onnxruntime:
                    continue
                for recipe in (*FAST, *SLOW):
                    samples = arguments.samples if recipe in FAST else arguments.slow_samples
                    found = verified(case, recipe, arithmetic, samples)
                    rows.append(verification_row(case, recipe, found))
                    print(rows[-1], flush=True)
    columns = ["network", "recipe", "T", "at rest after", "images", "populations"]
    columns += ["integers compared", "different", "first difference", "trains ≠ tracers"]
    columns += ["same class %"]
    saturating = "saturate in int16" if kernels_saturate() else "do not saturate in int16"
    command = (
        f"python benchmarks/exactness.py --samples {arguments.samples} "
        f"--slow-samples {arguments.slow_samples}"
    )
    list_near_ties(near_ties)
    publish(
        "exactness",
        [
            *head("Exactness", command),
            f"onnxruntime's kernels {saturating} on this CPU.",
            "",
            "## (a) rational arithmetic, against the source in exact rational arithmetic",
            "",
            *table(columns, rational),
            "## (b) onnxruntime's arithmetic, against its quantized kernels",
            "",
            *table(columns, kernels),
            "In a file that mixes both, onnxruntime computes what no kernel gives in float32 "
            "(QuantizeLinear); a near-tie there goes on into later layers.",
            "",
            "## (c) exact arithmetic, against onnxruntime in float32, layer by layer",
            "",
            "A difference is proven where it is one level and the exact value lies within "
            "γ_n·(Σ|w·x| + |b|) / scale of the boundary between the two. "
            "[All of them](exactness_near_ties.csv).",
            "",
            *table(
                [
                    *("network", "images", "integers compared", "different", "by one level"),
                    *("proven near-ties", "largest distance", "largest reach"),
                    "different without exact value",
                ],
                floats,
            ),
        ],
    )


if __name__ == "__main__":
    main()
