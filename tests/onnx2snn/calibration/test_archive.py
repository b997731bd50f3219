"""Archives read in pieces are what numpy.load says."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnx2snn.calibration.archive import MemoryRows, open_archive
from onnx2snn.errors import DataError

DTYPES = st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.boolean_dtypes(),
    hnp.unicode_string_dtypes(max_len=4),
    hnp.byte_string_dtypes(max_len=4),
    hnp.datetime64_dtypes(endianness="="),
)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)


@st.composite
def arrays(draw):
    """Any array that needs no pickle, in C or Fortran order."""
    shape, dtype = draw(SHAPES), draw(DTYPES)
    raw = np.random.default_rng(draw(st.integers(0, 2**32))).integers(
        0, 100, (*shape, max(1, dtype.itemsize)), dtype=np.uint8
    )
    array = raw.view(np.dtype((np.void, raw.shape[-1])))[..., 0]
    values = array.view(dtype) if dtype.kind not in "b" else (raw[..., 0] % 2).astype(bool)
    return np.asfortranarray(values) if draw(st.booleans()) else np.ascontiguousarray(values)


def identical(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def joined(pieces, like):
    """The pieces in one, in their own byte order, which numpy.concatenate does not keep."""
    assert {p.dtype for p in pieces} <= {like.dtype}
    nothing = np.empty((0, *like.shape[1:]), like.dtype)
    return np.concatenate([nothing, *pieces], dtype=like.dtype)


@given(
    values=st.lists(arrays(), min_size=1, max_size=3),
    compressed=st.booleans(),
    rows=st.integers(1, 9),
)
def test_pieces_make_up_the_whole(tmp_path_factory, values, compressed, rows):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    named = {f"array {i}": v for i, v in enumerate(values)}
    (np.savez_compressed if compressed else np.savez)(path, **named)
    opened = open_archive(path)
    with np.load(path) as reference:
        assert list(opened) == reference.files
        for name, found in opened.items():
            want = reference[name]
            assert (found.shape, found.dtype) == (want.shape, want.dtype)
            pieces = list(found.chunks(rows))
            assert all(len(p) == rows for p in pieces[:-1])
            assert all(1 <= len(p) <= rows for p in pieces[-1:])
            assert identical(joined(pieces, want), want)
            # Nothing is kept: a second time the same.
            assert sum(len(p) for p in found.chunks(rows)) == len(want)


@given(values=arrays(), rows=st.integers(1, 9))
def test_arrays_in_memory(values, rows):
    found = MemoryRows(values)
    assert (found.shape, found.dtype) == (values.shape, values.dtype)
    pieces = list(found.chunks(rows))
    assert all(len(p) == rows for p in pieces[:-1])
    assert sum(map(len, pieces)) == len(values)
    assert identical(joined(pieces, values), values)


def peak(function):
    tracemalloc.start()
    function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_the_whole_is_never_in_memory(tmp_path, save):
    values = np.zeros((4000, 2500), np.float32)  # 40 MB
    save(tmp_path / "a.npz", x=values)
    del values

    def read():
        for piece in open_archive(tmp_path / "a.npz")["x"].chunks(64):
            assert piece.shape[1] == 2500

    assert peak(read) < 6_000_000


def test_opening_reads_headers_only(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((4000, 2500), np.float32), y=np.zeros(10**6))
    assert peak(lambda: open_archive(tmp_path / "a.npz")) < 1_000_000


def write(path, data, compression=zipfile.ZIP_STORED, name="x.npy"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, data)


def npy(values, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=version)
    return stream.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_versions_of_the_format(tmp_path, version):
    values = np.arange(12.0).reshape(4, 3)
    write(tmp_path / "a.npz", npy(values, version))
    [piece] = open_archive(tmp_path / "a.npz")["x"].chunks(4)
    np.testing.assert_array_equal(piece, values)


@pytest.mark.parametrize("method", ["BZIP2", "LZMA"])
def test_other_compression(tmp_path, method):
    values = np.arange(1200.0).reshape(40, 30)
    write(tmp_path / "a.npz", npy(values), getattr(zipfile, f"ZIP_{method}"))
    pieces = list(open_archive(tmp_path / "a.npz")["x"].chunks(7))
    np.testing.assert_array_equal(np.concatenate(pieces), values)


def test_other_members_are_left_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("x.npy", npy(np.ones(3)))
    assert list(open_archive(tmp_path / "a.npz")) == ["x"]


def test_names_with_folders_stay_inside(tmp_path):
    """A name in an archive is a name, not a path."""
    write(tmp_path / "a.npz", npy(np.ones(3)), name="../../x.npy")
    [(name, rows)] = open_archive(tmp_path / "a.npz").items()
    assert name == "../../x"
    assert [len(p) for p in rows.chunks(5)] == [3]
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def read_all(path):
    return [list(rows.chunks(4)) for rows in open_archive(path).values()]


def refusal(path, read=True):
    with pytest.raises(DataError) as error:
        (read_all if read else open_archive)(path)
    text = str(error.value)
    assert error.value.file == str(path)
    assert error.value.remedy
    assert "\n" not in text
    return text


def test_truncated_member_is_known_before_reading(tmp_path):
    write(tmp_path / "a.npz", npy(np.ones((40, 30)))[:-8])
    assert "'x' is truncated" in refusal(tmp_path / "a.npz", read=False)


@pytest.mark.parametrize("shape", [(10**18,), (10**30, 4), (3, 10**15), (-4,), (2, -3, -4)])
@pytest.mark.parametrize("fortran", [True, False])
def test_senseless_shapes_take_no_memory(tmp_path, shape, fortran):
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    write(tmp_path / "a.npz", stream.getvalue() + bytes(64))
    assert peak(lambda: refusal(tmp_path / "a.npz", read=False)) < 1_000_000


@given(data=st.binary(max_size=80), how=st.sampled_from(["file", "member", "header"]))
def test_any_bytes(tmp_path_factory, data, how):
    """Whatever the bytes are: arrays, or a DataError of one line."""
    path = tmp_path_factory.getbasetemp() / "bytes.npz"
    if how == "file":
        path.write_bytes(data)
    else:
        write(path, data if how == "member" else b"\x93NUMPY\x01\x00" + data)
    text = ""
    try:
        read_all(path)
    except DataError as error:
        text = str(error)
    assert "\n" not in text


HEADERS = st.text("{}()[],:'\"descrfortan_ordershape<f48TrueFalse1230-LO \\#", max_size=60)


@given(text=HEADERS)
def test_any_header(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "header.npz"
    head = text.encode()
    write(path, b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(64))
    refusal(path)


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere(tmp_path, seed):
    """One changed byte: the data are right all the same, or it is noticed."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9, (30, 7))
    (np.savez_compressed if seed % 2 else np.savez)(tmp_path / "a.npz", x=values)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    (tmp_path / "a.npz").write_bytes(data)
    try:
        opened = open_archive(tmp_path / "a.npz")
        found = {name: np.concatenate(list(rows.chunks(4))) for name, rows in opened.items()}
    except DataError:
        return
    np.testing.assert_array_equal(next(iter(found.values())), values)


def test_objects_are_refused_by_their_header(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    assert "Python objects" in refusal(tmp_path / "a.npz", read=False)
