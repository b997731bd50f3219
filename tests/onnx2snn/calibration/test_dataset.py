"""Samples for a model: found, preprocessed, drawn, in batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.calibration import Preprocessing, open_dataset
from onnx2snn.calibration.dataset import parse_numbers
from onnx2snn.errors import ConfigError, DataError
from onnx2snn_runtime import TensorInfo

INFO = TensorInfo("x", np.dtype(np.float32), ("N", 3, 8, 6))


def images(count=5, shape=(3, 8, 6), dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 255, (count, *shape)).astype(dtype)


def batches(dataset, size=4):
    return list(dataset.batches(size))


def whole(dataset, name="x", size=4):
    return np.concatenate([b[name] for b in dataset.batches(size)])


class TestFinding:
    """Which array is the model's input."""

    @pytest.mark.parametrize("name", ["x", "images", "data", "input", "inputs", "whatever"])
    def test_one_array(self, name):
        data = open_dataset({name: images()}, (INFO,))
        assert len(data) == 5
        np.testing.assert_array_equal(whole(data), images())

    def test_the_name_wins(self):
        other = images()[::-1]
        data = open_dataset({"images": other, "x": images(), "data": other}, (INFO,))
        np.testing.assert_array_equal(whole(data), images())

    def test_a_known_name_wins(self):
        data = open_dataset({"a": images()[::-1], "images": images()}, (INFO,))
        np.testing.assert_array_equal(whole(data), images())

    def test_the_only_one_of_that_rank(self):
        data = open_dataset({"ids": np.arange(5), "faces": images()}, (INFO,))
        np.testing.assert_array_equal(whole(data), images())

    @pytest.mark.parametrize("name", ["labels", "label", "y", "targets"])
    def test_labels(self, name):
        data = open_dataset({"x": images(), name: np.array([3, 1, 4, 1, 5])}, (INFO,))
        assert [list(b) for b in data.label_batches(2)] == [[3, 1], [4, 1], [5]]

    def test_labels_are_no_input(self):
        info = TensorInfo("x", np.dtype(np.float32), ("N",))
        with pytest.raises(DataError):
            open_dataset({"labels": np.zeros(5)}, (info,))

    def test_no_labels(self):
        assert list(open_dataset({"x": images()}, (INFO,)).label_batches(2)) == []

    def test_an_array_alone(self):
        np.testing.assert_array_equal(whole(open_dataset(images(), (INFO,))), images())

    def test_a_path(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=images(), labels=np.arange(5))
        for path in (tmp_path / "a.npz", str(tmp_path / "a.npz")):
            data = open_dataset(path, (INFO,))
            assert data.name == str(tmp_path / "a.npz")
            np.testing.assert_array_equal(whole(data), images())

    def test_several_inputs(self):
        infos = (INFO, TensorInfo("z", np.dtype(np.float32), ("N", 2)))
        z = np.arange(10.0).reshape(5, 2)
        data = open_dataset({"z": z, "x": images(), "other": z}, infos)
        [first, last] = batches(data)
        assert list(first) == ["x", "z"]
        assert [len(v) for v in last.values()] == [1, 1]
        np.testing.assert_array_equal(whole(data, "z"), z)

    @pytest.mark.parametrize(
        "source",
        [
            {"a": images(), "b": images()},
            {"a": images()[0]},
            {},
            {"labels": np.arange(5)},
        ],
    )
    def test_not_clear(self, source):
        with pytest.raises(DataError) as error:
            open_dataset(source, (INFO,))
        assert "x" in error.value.remedy

    def test_several_inputs_need_names(self):
        infos = (INFO, TensorInfo("z", np.dtype(np.float32), ("N", 2)))
        for source in (images(), {"x": images()}):
            with pytest.raises(DataError) as error:
                open_dataset(source, infos)
            assert "x, z" in str(error.value)

    @pytest.mark.parametrize(
        "source",
        [
            {"x": images(0)},
            {"x": images(), "labels": np.arange(4)},
            {"x": images(), "labels": np.int64(3)},
            {"x": images()[:, :0]},
            {"x": np.array([None, {}])},
        ],
        ids=["empty", "lengths", "scalar", "empty axis", "objects"],
    )
    def test_refused(self, source):
        with pytest.raises(DataError) as error:
            open_dataset(source, (INFO,))
        assert error.value.file == "data"
        assert error.value.remedy


class TestPreprocessing:
    def apply(self, values, info=INFO, **options):
        return Preprocessing(**options).apply(np.asarray(values), info)

    def test_nothing_to_do(self):
        got = self.apply(images())
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, images())

    def test_numbers(self):
        """(x·scale − mean) / std, per channel; as ImageNet users write it."""
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        got = self.apply(images(), scale=1 / 255, mean=mean, std=std)
        x = images().astype(np.float64) / 255
        for c in range(3):
            np.testing.assert_allclose(got[:, c], (x[:, c] - mean[c]) / std[c], atol=1e-6)
        assert got.dtype == np.float32

    def test_one_number_for_all_channels(self):
        got = self.apply(images(), mean=(128,), std=(64,))
        np.testing.assert_allclose(got, (images() - 128.0) / 64)

    def test_in_the_order_that_is_documented(self):
        assert (
            self.apply(np.full((1, 3, 8, 6), 10), scale=2.0, mean=(5,), std=(3,))[0, 0, 0, 0] == 5
        )

    @pytest.mark.parametrize("layout", ["auto", "NHWC"])
    def test_channels_last(self, layout):
        last = np.moveaxis(images(), 1, -1)
        np.testing.assert_array_equal(self.apply(last, layout=layout), images())
        mean = (1.0, 2.0, 3.0)
        np.testing.assert_array_equal(
            self.apply(last, layout=layout, mean=mean), self.apply(images(), mean=mean)
        )

    @pytest.mark.parametrize("layout", ["auto", "NCHW"])
    def test_channels_first(self, layout):
        np.testing.assert_array_equal(self.apply(images(), layout=layout), images())

    def test_auto_leaves_what_fits(self):
        """3×3×3 fits both ways: it is taken as it is."""
        info = TensorInfo("x", np.dtype(np.float32), ("N", 3, 3, 3))
        cube = images(2, (3, 3, 3))
        np.testing.assert_array_equal(self.apply(cube, info), cube)
        np.testing.assert_array_equal(
            self.apply(cube, info, layout="NHWC"), np.moveaxis(cube, -1, 1)
        )

    def test_auto_with_free_lengths(self):
        """[N, 3, ?, ?]: 8×6×3 fits only with its channels moved."""
        info = TensorInfo("x", np.dtype(np.float32), ("N", 3, "H", None))
        last = np.moveaxis(images(), 1, -1)
        np.testing.assert_array_equal(self.apply(last, info), images())
        np.testing.assert_array_equal(self.apply(images(), info), images())

    def test_sequences(self):
        info = TensorInfo("x", np.dtype(np.float32), ("N", 3, 10))
        series = images(2, (10, 3))
        np.testing.assert_array_equal(self.apply(series, info), np.moveaxis(series, -1, 1))

    def test_integers_stay(self):
        info = TensorInfo("x", np.dtype(np.uint8), INFO.shape)
        assert self.apply(images(), info).dtype == np.uint8
        with pytest.raises(DataError):
            self.apply(images(), info, scale=0.5)

    def test_other_numbers_of_channels(self):
        for option in ({"mean": (1, 2)}, {"std": (1, 2, 3, 4)}):
            with pytest.raises(DataError):
                self.apply(images(), **option)

    @pytest.mark.parametrize("values", [np.full((2, 3, 8, 6), "a"), images().astype(complex)])
    def test_no_numbers(self, values):
        with pytest.raises(DataError):
            self.apply(values)

    @pytest.mark.parametrize(
        "options",
        [
            {"layout": "HWC"},
            {"layout": "nchw"},
            {"scale": 0},
            {"scale": float("nan")},
            {"scale": float("inf")},
            {"mean": (float("nan"),)},
            {"std": (0.0,)},
            {"std": (1.0, -1.0)},
            {"std": (float("inf"),)},
        ],
        ids=str,
    )
    def test_options_that_cannot_be(self, options):
        with pytest.raises(ConfigError):
            Preprocessing(**options)


class TestSubset:
    @given(
        count=st.integers(1, 700),
        samples=st.integers(1, 800),
        seed=st.integers(0, 100),
        size=st.integers(1, 300),
    )
    def test_subset(self, count, samples, seed, size):
        """So many, each once, in their order, labels and second inputs beside them."""
        x = np.arange(count, dtype=np.float32)[:, None]
        infos = tuple(TensorInfo(n, np.dtype(np.float32), ("N", 1)) for n in "xz")
        data = open_dataset({"x": x, "z": -x, "labels": np.arange(count)}, infos)
        part = data.subset(samples, seed)
        assert len(part) == min(count, samples)
        chosen = whole(part, "x", size)[:, 0]
        assert len(chosen) == len(part)
        assert (np.diff(chosen) > 0).all()
        np.testing.assert_array_equal(whole(part, "z", size)[:, 0], -chosen)
        labels = np.concatenate(list(part.label_batches(size)))
        np.testing.assert_array_equal(labels, chosen)
        sizes = [len(b["x"]) for b in part.batches(size)]
        assert all(s == size for s in sizes[:-1])
        np.testing.assert_array_equal(whole(data.subset(samples, seed), "x", 7)[:, 0], chosen)

    def drawn(self, samples, seed, count=1000):
        data = open_dataset(np.arange(count, dtype=np.float32)[:, None], (self.info,))
        return set(whole(data.subset(samples, seed), "x", 100)[:, 0])

    info = TensorInfo("x", np.dtype(np.float32), ("N", 1))

    def test_the_seed_matters(self):
        assert self.drawn(10, 0) == self.drawn(10, 0) != self.drawn(10, 1)

    def test_every_sample_has_its_chance(self):
        """Not the first ones: over many seeds each is drawn about equally often."""
        counts = np.zeros(20)
        for seed in range(400):
            for i in self.drawn(5, seed, 20):
                counts[int(i)] += 1
        assert counts.min() > 60
        assert counts.max() < 140

    def test_all_of_them(self):
        data = open_dataset(images(), (INFO,))
        assert data.subset(None) is data
        assert data.subset(5) is data
        assert data.subset(99) is data

    def test_subset_of_a_subset(self):
        data = open_dataset(np.arange(100, dtype=np.float32)[:, None], (self.info,))
        once = data.subset(50, 1)
        twice = once.subset(10, 2)
        assert len(twice) == 10
        assert set(whole(twice)[:, 0]) < set(whole(once)[:, 0])

    def test_of_an_archive(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=images(600, (3, 8, 6)), labels=np.arange(600))
        part = open_dataset(tmp_path / "a.npz", (INFO,)).subset(31, 5)
        labels = np.concatenate(list(part.label_batches(8)))
        np.testing.assert_array_equal(whole(part, size=8), images(600)[labels])


class TestBatches:
    def test_must_fit(self):
        data = open_dataset({"x": images(5, (3, 8, 7))}, (INFO,))
        with pytest.raises(DataError) as error:
            batches(data)
        assert (error.value.file, bool(error.value.remedy)) == ("data", True)
        assert "[4, 3, 8, 7]" in str(error.value)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
    def test_must_be_finite(self, value):
        x = images(dtype=np.float64)
        x[4, 0, 0, 0] = value
        stream = open_dataset({"x": x}, (INFO,)).batches(4)
        assert len(next(stream)["x"]) == 4
        with pytest.raises(DataError):
            next(stream)

    def test_in_the_model_s_type(self):
        for dtype in (np.float32, np.float16, np.float64, np.int64, np.bool_):
            [first, _] = batches(open_dataset({"x": images() > 128}, (INFO,)))
            assert first["x"].dtype == np.float32
            info = TensorInfo("x", np.dtype(dtype), INFO.shape)
            [first, _] = batches(open_dataset({"x": images() > 128}, (info,)))
            assert first["x"].dtype == dtype

    @pytest.mark.parametrize(
        "labels",
        [np.eye(5), np.full(5, "a"), np.full(5, 0.5), np.full(5, np.nan), np.full(5, 1j)],
    )
    def test_labels_must_be_classes(self, labels):
        data = open_dataset({"x": images(), "labels": labels}, (INFO,))
        with pytest.raises(DataError) as error:
            list(data.label_batches(4))
        assert "labels" in str(error.value)
        assert error.value.remedy


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1/255", (1 / 255,)), ("1, 2", (1, 2)), ("1 2", (1, 2)), ("-1e-3", (-0.001,)), ("", ())],
)
def test_parse_numbers(text, numbers):
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize("text", ["a", "1/0", "1/2/3", "/", "1,,x", "nan", "-inf", "1e400"])
def test_parse_no_numbers(text):
    with pytest.raises(ConfigError):
        parse_numbers(text)


@pytest.mark.parametrize("before", [None, 20])
def test_apart(before, info):
    """No common sample, nothing lost, the same for a seed."""
    rows = np.arange(30, dtype=np.float32).reshape(30, 1) * np.ones((1, 3), np.float32)
    whole = open_dataset({"x": rows}, (info(("N", 3)),)).subset(before)
    parts = whole.apart(5, seed=1)
    assert [len(p) for p in parts] == [(before or 30) - 5, 5]
    values = [{float(r[0]) for b in p.batches(4) for r in b["x"]} for p in parts]
    [every] = [{float(r[0]) for b in whole.batches(64) for r in b["x"]}]
    assert not values[0] & values[1]
    assert values[0] | values[1] == every
    again = whole.apart(5, seed=1)[1]
    np.testing.assert_array_equal(again.indices, parts[1].indices)


@pytest.mark.parametrize("held", [0, 3, 4])
def test_too_few_to_set_apart(held, info):
    rows = np.zeros((3, 3), np.float32)
    whole = open_dataset({"x": rows}, (info(("N", 3)),))
    assert whole.apart(held) == (whole, whole)
