"""What encoders share. What their statements compute, test_every_op.py compares op by op."""

import pytest

from onnx2snn_runtime.encoders import grown, grown_and_steps


@pytest.mark.parametrize(
    ("shape", "want"), [((8, 3), (None, 3)), ((0, 3), (0, 3)), (("N", None), (None, None))]
)
def test_shapes(shape, want):
    """T is not known where shapes are inferred; without samples there are no rows."""
    assert grown([shape, ()], {}) == (want,)
    assert grown_and_steps([shape, (), ()], {}) == (want, ())
