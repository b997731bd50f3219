"""The one registry mechanism: a decorator at the definition, found by importing the folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from onnx2snn_runtime.errors import RegistryError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names mapped to definitions of one kind.

    The definitions register themselves when their module is imported; the first look-up imports
    every module of ``package`` and then the entry points of the group ``package``, so that other
    distributions can add theirs.

    Args:
        kind: what is registered, for messages ("spiking op", "threshold").
        package: the import package that holds the definitions, and the entry-point group.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._items: dict[str, T] = {}
        self._loaded = False

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorator that registers a definition under one or more names.

        Raises:
            RegistryError: a name is taken already.
        """

        def decorate(item: T) -> T:
            for name in names:
                if self._items.setdefault(name, item) is not item:
                    raise RegistryError(f"{self.kind} '{name}' is registered twice")
            return item

        return decorate

    def get(self, name: str) -> T:
        """The definition registered under ``name``.

        Raises:
            RegistryError: there is none.
        """
        item = self.find(name)
        if item is None:
            raise RegistryError(
                f"unknown {self.kind} '{name}'", remedy=f"known: {', '.join(sorted(self.names()))}"
            )
        return item

    def find(self, name: str) -> T | None:
        """The definition registered under ``name``, or None."""
        self._load()
        return self._items.get(name)

    def names(self) -> tuple[str, ...]:
        """All names, in order of registration."""
        self._load()
        return tuple(self._items)

    def __iter__(self) -> Iterator[T]:
        """The definitions, each once."""
        self._load()
        return iter({id(item): item for item in self._items.values()}.values())

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # first: the modules may look things up while they load
        try:
            self._import_all()
        except BaseException:
            self._loaded = False
            raise

    def _import_all(self) -> None:
        package = importlib.import_module(self.package)
        for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            importlib.import_module(f"{self.package}.{module}")
        for point in entry_points(group=self.package):
            try:
                point.load()
            except Exception as error:  # other people's code
                raise RegistryError(
                    f"{self.kind} plug-in '{point.name}' ({point.value}) cannot be loaded: {error}",
                    remedy="update or uninstall the distribution that brings it",
                ) from error
