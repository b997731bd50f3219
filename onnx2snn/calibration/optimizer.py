"""Steps of parameters along noisy gradients.

A layer's weights step along the orthogonal matrix that is nearest to their gradient (Muon, Jordan
et al. 2024): every direction of the matrix moves as far, where plain gradients hardly change any
but the few along which the loss is steepest. What is no matrix steps by Adam (Kingma and Ba 2015).
Steps are in proportion to the size of what they change.

What is kept is the running mean of the parameters: the floor makes gradients noisy, and the mean is
better on other samples than the last value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from onnx2snn.calibration.signals import Array

#: How long gradients and, of Adam, their squares are remembered.
FIRST, SECOND = 0.9, 0.99
#: How much of the running mean is kept at every step.
KEPT = 0.97
#: What the entries of a matrix move, as a share of the rate: all do in every step, while those that
#: Adam steps stay behind where gradients change their sign.
TURN = 0.3
#: Larger matrices than this, both ways, take longer to orthogonalize than to differentiate.
LARGEST = 1024
#: What the eigenvalues of an n×n matrix cost, in n³ multiply-accumulates: measured.
EIGENVALUES = 30
#: Singular values below this share of the largest are noise of float32.
LEAST = 1e-3


@dataclass(frozen=True)
class State:
    """Where the descent is.

    Attributes:
        steps: done so far.
        parameters: by name; so are the others.
        first: gradients as they are remembered.
        second: their squares, of those that Adam steps.
        means: of the parameters.
    """

    steps: int
    parameters: Mapping[str, Array]
    first: Mapping[str, Array]
    second: Mapping[str, Array]
    means: Mapping[str, Array]


class Optimizer:
    """Steps of parameters, and their running means; may go on from a state.

    Args:
        parameters: by name; the mapping holds the new ones after every step.
        matrices: names of those that are weights, [outputs, ...].
        scales: their sizes, broadcastable, by name.
        limits: between what they must stay, for those that have limits.
        state: where it was; None begins.
    """

    def __init__(
        self,
        parameters: dict[str, Array],
        matrices: Collection[str],
        scales: Mapping[str, Array],
        limits: Mapping[str, tuple[Array, Array]],
        state: State | None,
    ) -> None:
        self._parameters, self._scales, self._limits = parameters, scales, limits
        zeros = {n: np.zeros_like(p) for n, p in parameters.items()}
        squares = {n: z for n, z in zeros.items() if n not in matrices or _is_too_large(z)}
        start = dict(parameters)
        self.state = State(0, start, zeros, squares, start) if state is None else state
        parameters.update(self.state.parameters)

    @property
    def work(self) -> int:
        """What a step costs, in multiply-accumulates: all matrices that are orthogonalized."""
        total = 0
        for name, value in self.state.parameters.items():
            if name not in self.state.second:
                short, long = sorted((len(value), value.size // len(value)))
                total += 2 * short**2 * long + EIGENVALUES * short**3
        return total

    def step(self, gradients: Mapping[str, Array], rate: float) -> None:
        """One step of all parameters; a new state, so that the last one can be kept."""
        last = self.state
        steps = last.steps + 1
        keep = min(KEPT, 1 - 1 / steps)
        values, firsts, seconds, means = (
            dict(known) for known in (last.parameters, last.first, last.second, last.means)
        )
        for name, gradient in gradients.items():
            first = _remembered(firsts[name], gradient, FIRST)
            if name in seconds:
                seconds[name] = _remembered(seconds[name], np.square(gradient), SECOND)
                way = _adam(first, seconds[name], steps)
            else:
                way = TURN * orthogonal(_remembered(first, gradient, FIRST))
            moved = (values[name] - np.float32(rate) * self._scales[name] * way).astype(np.float32)
            if name in self._limits:
                moved = np.clip(moved, *self._limits[name])
            means[name] = _remembered(means[name], moved, keep)
            values[name], firsts[name] = moved, first
        self._parameters.update(values)
        self.state = State(steps, values, firsts, seconds, means)


def orthogonal(gradient: Array) -> Array:
    """U·Vᵀ of a gradient U·S·Vᵀ, [outputs, ...], with entries of about one.

    Zeros of zeros, and of what is not finite.
    """
    matrix = gradient.reshape(len(gradient), -1)
    largest = np.abs(matrix).max()
    if not 0 < largest < np.inf:
        return np.zeros_like(gradient)
    wide = (matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T) / largest
    squares, ways = np.linalg.eigh(wide @ wide.T)
    roots = np.sqrt(np.maximum(squares, LEAST**2 * squares[-1]))
    found = (ways / roots) @ (ways.T @ wide) * np.float32(np.sqrt(wide.shape[1]))
    back: Array = found if matrix.shape[0] <= matrix.shape[1] else found.T
    return back.reshape(gradient.shape)


def _remembered(known: Array, new: Array, share: float) -> Array:
    kept: Array = known + np.float32(1 - share) * (new - known)
    return kept


def _adam(first: Array, second: Array, steps: int) -> Array:
    root = np.sqrt(second / np.float32(1 - SECOND**steps)) + np.finfo(np.float32).tiny
    way: Array = first / np.float32(1 - FIRST**steps) / root
    return way


def _is_too_large(matrix: Array) -> bool:
    return min(len(matrix), matrix.size // len(matrix)) > LARGEST
