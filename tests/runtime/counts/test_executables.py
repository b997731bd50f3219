"""Counting forms are loaded once for each T, and not all of them are kept."""

import logging

import numpy as np
import pytest

from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.counts.executables import KEPT, Counts


@pytest.fixture
def averaged(builder):
    """x to AveragedIntegrateFire with theta = 2, for any T."""
    net = builder(4, fixed=False)
    x = net.spiking("DirectEncode", [net.input("x", 2)], 1)
    x = net.spiking("AveragedIntegrateFire", [x, net.const([2.0]), net.const([1.0])])
    return net.model(net.readout(x, "sum"))


@pytest.fixture
def loads(monkeypatch):
    """The number of models loaded by the backend "stock" so far, in a list of one."""
    counted, original = [0], BACKENDS.get("stock")

    def load(model, options):
        counted[0] += 1
        return original(model, options)

    monkeypatch.setitem(BACKENDS._items, "stock", load)
    return counted


def test_one_model_for_each_t(averaged, loads):
    session = SpikingSession(averaged, backend="stock")
    assert loads == [1]
    x = np.array([[1, 3]], np.float32)
    wanted = {t: [[min(t, (t + 1) // 2), t]] for t in range(1, KEPT + 3)}
    for t, answer in wanted.items():
        for _ in range(2):
            assert next(iter(session.run(x, t).values())).tolist() == answer
    assert loads == [len(wanted)]  # that of T = 4 was there
    session.run(x, KEPT + 2)
    assert loads == [len(wanted)]
    session.run(x, 1)
    assert loads == [len(wanted) + 1]


def test_totals_are_a_model_of_their_own(averaged, loads):
    session = SpikingSession(averaged, backend="stock")
    session.totals(np.array([[1, 3]], np.float32))
    session.totals(np.array([[1, 3]], np.float32))
    assert loads == [2]


def test_steps_are_loaded_when_they_are_asked_for(averaged, loads, same_bits):
    session = SpikingSession(averaged, backend="stock")
    spikes = session.trace(np.array([[1, 3]], np.float32)).spikes
    assert loads == [2]
    assert [s[:, 0].sum(axis=0).tolist() for s in spikes.values()] == [[2, 4]]


def test_the_log_says_why_steps_are_simulated(network, caplog):
    with caplog.at_level(logging.INFO, logger="onnx2snn_runtime"):
        assert Counts.of(network(), BACKENDS.get("stock"), BackendOptions()) is None
    assert "simulated step by step: node 'fire.node' (IntegrateFire)" in caplog.text
