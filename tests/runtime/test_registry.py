"""The registry: duplicates, unknown names, folders and plug-ins."""

import sys

import pytest

from onnx2snn_runtime import registry as registry_module
from onnx2snn_runtime.backend import BACKENDS
from onnx2snn_runtime.errors import RegistryError
from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.registry import Registry


class Point:
    """An entry point."""

    def __init__(self, name, load):
        self.name, self.value, self.load = name, f"{name}_package:thing", load


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A fresh import package with a registry and two modules that register themselves."""
    name = "gadgets_for_test"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    for gadget in ("beta", "alpha"):
        (folder / f"{gadget}.py").write_text(
            f"import {name}\n\n\n@{name}.GADGETS.register('{gadget}')\ndef {gadget}():\n    pass\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    gadgets = Registry("gadget", name)
    __import__(name)
    sys.modules[name].GADGETS = gadgets
    yield gadgets
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]


def plug_in(monkeypatch, *points):
    """Pretend that other distributions offer these entry points."""
    asked = []

    def entry_points(*, group):
        asked.append(group)
        return points

    monkeypatch.setattr(registry_module, "entry_points", entry_points)
    return asked


def test_finds_the_folder(package):
    assert package.names() == ("alpha", "beta")
    assert package.get("beta").__name__ == "beta"
    assert [item.__name__ for item in package] == ["alpha", "beta"]


def test_duplicate(package):
    """Whoever comes second fails, here the folder's own module."""
    package.register("alpha")(object())
    with pytest.raises(RegistryError) as error:
        package.get("alpha")
    assert "gadget 'alpha' is registered twice" in str(error.value)


def test_duplicate_after_loading(package):
    kept = package.get("alpha")
    with pytest.raises(RegistryError):
        package.register("alpha")(object())
    assert package.get("alpha") is kept


def test_same_thing_again_is_no_duplicate(package):
    package.register("alpha")(package.get("alpha"))
    assert package.names() == ("alpha", "beta")


def test_several_names_are_one_thing(package):
    thing = object()
    assert package.register("gamma", "delta")(thing) is thing
    assert package.get("gamma") is package.get("delta") is thing
    assert list(package).count(thing) == 1


def test_unknown(package):
    assert package.find("omega") is None
    with pytest.raises(RegistryError) as error:
        package.get("omega")
    text = str(error.value)
    assert "unknown gadget 'omega'" in text
    assert "alpha, beta" in text
    assert "\n" not in text


def test_plug_ins(package, monkeypatch):
    def load():
        package.register("gamma")("a gadget of others")

    asked = plug_in(monkeypatch, Point("gamma", load))
    assert package.names() == ("alpha", "beta", "gamma")
    assert package.get("gamma") == "a gadget of others"
    assert asked == [package.package]  # once, its own group


def test_plug_in_with_a_taken_name(package, monkeypatch):
    plug_in(monkeypatch, Point("thief", lambda: package.register("alpha")(object())))
    with pytest.raises(RegistryError) as error:
        package.names()
    assert "registered twice" in str(error.value)


def test_broken_plug_in(package, monkeypatch):
    """It is named, every time: the registry is not left half full."""

    def load():
        raise ImportError("no module named\nnothing")

    plug_in(monkeypatch, Point("broken", load))
    for _ in range(2):
        with pytest.raises(RegistryError) as error:
            package.get("alpha")
        text = str(error.value)
        assert "'broken' (broken_package:thing)" in text
        assert "no module named nothing" in text
        assert "\n" not in text


def test_broken_module(package, tmp_path):
    (tmp_path / package.package / "middle.py").write_text("raise OSError('broken')\n")
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            package.names()


def test_our_registries():
    assert set(BACKENDS.names()) >= {"stock", "reference"}
    assert OPS.get("IntegrateFire").name == "IntegrateFire"
    with pytest.raises(RegistryError, match="unknown spiking op 'Nope'"):
        OPS.get("Nope")
