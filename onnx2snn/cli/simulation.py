"""What the verbs that simulate have in common: a session, and samples that fit it."""

from __future__ import annotations

from onnx2snn.calibration import Dataset, open_dataset
from onnx2snn.cli.options import make_preprocessing
from onnx2snn.errors import BackendError, naming
from onnx2snn_runtime import SpikingSession


def open_simulation(
    model: str,
    data: str,
    *,
    layout: str,
    scale: tuple[float, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    samples: int | None,
    seed: int,
    backend: str,
    providers: tuple[str, ...],
    threads: int,
    memory: int,
) -> tuple[SpikingSession, Dataset]:
    """The spiking network of a file, and the samples that the options ask for."""
    with naming(model, BackendError):
        session = SpikingSession(
            model, backend=backend, providers=providers, threads=threads, memory=memory
        )
    preprocessing = make_preprocessing(layout, scale, mean, std)
    return session, open_dataset(data, session.inputs, preprocessing).subset(samples, seed)
