"""Data archives that do not fit or are damaged: one line that names the archive."""

import io
import pickle
import resource
import struct
import warnings
import zipfile

import numpy as np
import pytest
from onnx import TensorProto

BAD = {}


def bad(name, *says):
    """Register a maker of a bad archive, from good samples [20, 1, 8, 8]."""

    def register(make):
        BAD[name] = (make, says)
        return make

    return register


def arrays(path, **named):
    np.savez(path, **named)


def npy(values, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=version)
    return stream.getvalue()


def header(shape, descr="<f4", fortran_order=False):
    """The header of an .npy that claims whatever it likes."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": descr, "fortran_order": fortran_order, "shape": shape}
    )
    return stream.getvalue()


def member(path, data, compression=zipfile.ZIP_STORED, name="input.npy"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, data)


# ---------------------------------------------------------------------------------------------
# No archive


@bad("missing", "No such file")
def missing(path, x):
    pass


@bad("folder", "Is a directory")
def folder_(path, x):
    path.mkdir()


@bad("empty file", "not an .npz archive")
def empty_file(path, x):
    path.touch()


@bad("text", "not an .npz archive")
def text(path, x):
    path.write_text("1,2,3\n4,5,6\n")


@bad("npy", "not an .npz archive")
def single(path, x):
    path.write_bytes(npy(x))


@bad("pickle", "not an .npz archive")
def pickled(path, x):
    path.write_bytes(pickle.dumps({"input": x.tolist()}))


@bad("zip without arrays", "holds no arrays")
def no_arrays(path, x):
    member(path, b"hello", name="readme.txt")


@bad("nothing saved", "holds no arrays")
def nothing(path, x):
    arrays(path)


# ---------------------------------------------------------------------------------------------
# Damage

for share in (0.01, 0.5, 0.98):

    @bad(f"truncated at {share}", "damaged")
    def truncated(path, x, share=share):
        arrays(path, input=x)
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])


@bad("flipped byte", "CRC")
def flipped(path, x):
    arrays(path, input=x)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


for method in ("DEFLATED", "BZIP2", "LZMA"):

    @bad(f"damaged {method}")
    def damaged_stream(path, x, method=method):
        member(path, npy(x), getattr(zipfile, f"ZIP_{method}"))
        data = bytearray(path.read_bytes())
        for place in range(80, 140):
            data[place] ^= 0x5A
        path.write_bytes(data)


@bad("truncated member", "'input'", "truncated")
def truncated_member(path, x):
    member(path, npy(x)[:-500])


@bad("wrong size in the directory", "'input'")
def wrong_size(path, x):
    """The archive says that there is more than there is, and so does the header."""
    data = header((10**9, 1, 8, 8)) + bytes(100)
    member(path, data)
    whole = bytearray(path.read_bytes())
    at = whole.find(b"PK\x01\x02") + 24  # uncompressed size
    whole[at : at + 4] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(whole)


for shape in ((10**12, 1, 8, 8), (10**30, 1, 8, 8), (20, 10**12, 8, 8), (10**9, 1, 8, 8)):
    for order in (False, True):

        @bad(f"claims {shape} {'F' if order else 'C'}", "'input'", "truncated")
        def claims(path, x, shape=shape, order=order):
            member(path, header(shape, fortran_order=order) + bytes(100))


@bad("negative length", "damaged")
def negative(path, x):
    member(path, header((-5, 1, 8, 8)) + bytes(100))


@bad("two negative lengths", "damaged")
def two_negatives(path, x):
    member(path, header((2, -1, 8, -8)) + bytes(1000))


@bad("header without end", "damaged")
def unfinished_header(path, x):
    member(path, b'\x93NUMPY\x01\x00\x10\x00{"descr": foo\n   ')


@bad("unknown version", "version")
def unknown_version(path, x):
    member(path, b"\x93NUMPY\x09\x00" + npy(x)[8:])


@bad("encrypted", "encrypted")
def encrypted(path, x):
    member(path, npy(x))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


@bad("unknown compression", "compression")
def unknown_compression(path, x):
    member(path, npy(x))
    data = bytearray(path.read_bytes())
    data[8] = data[data.find(b"PK\x01\x02") + 10] = 77
    path.write_bytes(data)


@bad("the same name twice")
def twice(path, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("input.npy", npy(x))
            archive.writestr("input.npy", b"xx")


# ---------------------------------------------------------------------------------------------
# Arrays that do not fit


@bad("no samples", "'input'", "no samples")
def no_samples(path, x):
    arrays(path, input=x[:0])


@bad("an empty axis", "'input'")
def empty_axis(path, x):
    arrays(path, input=x[:, :, :0])


@bad("scalar", "'input'")
def scalar(path, x):
    arrays(path, input=np.float32(1))


@bad("other shape", "'input'", "[20, 1, 8, 7]", "[N, 1, 8, 8]")
def other_shape(path, x):
    arrays(path, input=x[..., :7])


@bad("other rank", "'input'", "[20, 64]", "[N, 1, 8, 8]")
def other_rank(path, x):
    arrays(path, input=x.reshape(20, 64))


@bad("text array", "'input'", "numbers")
def strings(path, x):
    arrays(path, input=np.full((20, 1, 8, 8), "a"))


@bad("bytes array", "'input'", "numbers")
def byte_strings(path, x):
    arrays(path, input=np.full((20, 1, 8, 8), b"a"))


@bad("complex", "'input'", "complex")
def complex_(path, x):
    arrays(path, input=x.astype(np.complex64))


@bad("dates", "'input'", "numbers")
def dates(path, x):
    arrays(path, input=np.zeros((20, 1, 8, 8), "M8[s]"))


@bad("records", "'input'", "numbers")
def records(path, x):
    arrays(path, input=np.zeros((20, 1, 8, 8), [("a", "f4"), ("b", "i4")]))


@bad("raw bytes", "'input'", "numbers")
def raw(path, x):
    arrays(path, input=np.zeros((20, 1, 8, 8), "V4"))


@bad("objects", "'input'", "Python objects")
def objects(path, x):
    arrays(path, input=np.array([{"a": 1}, None], dtype=object))


@bad("objects hidden in records", "'input'", "Python objects")
def hidden_objects(path, x):
    arrays(path, input=np.zeros(20, [("a", "f4"), ("b", "O")]))


for number in (np.nan, np.inf, -np.inf):

    @bad(f"{number}", "'input'", "NaN or infinity")
    def not_finite(path, x, number=number):
        x = x.copy()
        x[-1, 0, 0, 0] = number
        arrays(path, input=x)


@bad("too large for float32", "'input'", "infinity")
def too_large(path, x):
    arrays(path, input=np.full((20, 1, 8, 8), 1e300))


@bad("no array of that name", "a, b", "input")
def no_name(path, x):
    arrays(path, a=x, b=x)


@bad("labels only", "labels", "input")
def labels_only(path, x):
    arrays(path, labels=np.zeros(20, int))


@bad("differing lengths", "input: 20", "labels: 5")
def differing(path, x):
    arrays(path, input=x, labels=np.zeros(5, int))


@bad("labels without axis", "'labels'")
def scalar_labels(path, x):
    arrays(path, input=x, labels=np.int64(3))


@bad("labels of objects", "'labels'", "Python objects")
def object_labels(path, x):
    arrays(path, input=x, labels=np.full(20, None, dtype=object))


VERBS = {
    "convert": lambda files, path: (
        "convert",
        files.float,
        "--calibration-data",
        path,
        "-o",
        "out",
    ),
    "run": lambda files, path: ("run", files.spiking, "-i", path, "-o", "out"),
    "evaluate": lambda files, path: ("evaluate", files.spiking, "--data", path, "-T", "1"),
}


@pytest.fixture(scope="module")
def samples(files):
    with np.load(files.calibration) as archive:
        return archive["input"][:20]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", BAD)
def test_bad_data(name, verb, files, samples, refused, folder):
    make, says = BAD[name]
    path = folder / "bad.npz"
    make(path, samples)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(*VERBS[verb](files, path), says=(path, *says))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.full(20, "cat"), "<U3"),
        (np.eye(20, 10), "[20, 10]"),
        (np.full(20, np.nan), "float64"),
        (np.full(20, 2.5), "float64"),
        (np.full(20, 1j), "complex"),
    ],
    ids=["text", "one-hot", "NaN", "fractions", "complex"],
)
def test_labels_that_are_no_classes(labels, says, files, samples, refused, invoke, folder):
    """Refused where they are needed, before anything is simulated."""
    path = folder / "labels.npz"
    arrays(path, input=samples, labels=labels)
    refused("evaluate", files.spiking, "--data", path, says=(path, "labels", says))
    assert invoke("run", files.spiking, "-i", path).code == 0


@pytest.mark.parametrize("labels", [np.uint8, np.float32, np.bool_, ">i2"])
def test_labels_that_are_classes(labels, files, samples, invoke, folder):
    arrays(folder / "good.npz", input=samples, labels=np.ones(20).astype(labels))
    assert invoke("evaluate", files.spiking, "--data", "good.npz", "-T", "1").code == 0


def test_labels_may_have_an_axis_of_one(files, samples, invoke, folder):
    arrays(folder / "good.npz", input=samples, labels=np.ones((20, 1), int))
    assert invoke("evaluate", files.spiking, "--data", "good.npz", "-T", "1").code == 0


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f2", "f8", ">f4", "g"])
def test_any_kind_of_number(kind, files, samples, invoke, folder):
    arrays(folder / "good.npz", input=(samples > 0.5).astype(kind))
    assert invoke("run", files.spiking, "-i", "good.npz", "-T", "1").code == 0


def test_no_code_runs_from_an_array(files, refused, folder):
    """An object array is a pickle, and loading a pickle runs what it says."""

    class Trap:
        def __reduce__(self):
            return (open, (str(folder / "trapped"), "w"))

    path = folder / "trap.npz"
    np.savez(path, input=np.array([Trap()], dtype=object), labels=np.zeros(1))
    for verb in VERBS.values():
        refused(*verb(files, path), says=("Python objects",))
    assert not (folder / "trapped").exists()


class TestPreprocessing:
    def test_channels(self, files, refused):
        says = (files.calibration, "2 values for mean", "1 channels")
        data = ("--calibration-data", files.calibration)
        refused("convert", files.float, *data, "--mean", "1,2", says=says)
        says = (files.few, "3 values for std")
        refused("run", files.spiking, "-i", files.few, "--std", "1,2,3", "-o", "out", says=says)
        refused("evaluate", files.spiking, "--data", files.few, "--std", "1,2,3", says=says)

    def test_layout(self, files, refused):
        says = (files.few, "[4, 8, 1, 8]")
        refused("run", files.spiking, "-i", files.few, "--layout", "NHWC", "-o", "out", says=says)

    def test_leaves_no_numbers(self, files, refused):
        says = (files.few, "infinity", "preprocessing")
        refused("run", files.spiking, "-i", files.few, "--std", "1e-300", "-o", "out", says=says)

    def test_of_integers(self, files, refused, tiny, invoke, folder):
        """A network that takes bytes takes them as they are."""
        nodes = [
            ("Cast", ["x"], ["c"], {"to": TensorProto.FLOAT}),
            ("Relu", ["c"], ["y"], {}),
        ]
        model = tiny(nodes, x=("N", 3))
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
        (folder / "bytes.onnx").write_bytes(model.SerializeToString())
        arrays(folder / "bytes.npz", x=np.arange(30, dtype=np.uint8).reshape(10, 3))
        data = ("--calibration-data", "bytes.npz", "-o", "out")
        says = ("bytes.npz", "uint8")
        refused("convert", "bytes.onnx", *data, "--scale", "1/255", says=says)
        assert invoke("convert", "bytes.onnx", *data).code == 0
