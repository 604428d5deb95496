"""Arrays of others in the hands of plug-ins' methods, which may neither write nor lock them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nntrain.core.array import Array
from nntrain.errors import ConfigError
from nntrain.plugins import place_of_error, place_of_method
from nntrain.user_files import current_folder


@dataclass
class Lender:
    """Calls methods of plug-ins with arrays of others.

    Attributes:
        writable: whether arrays are given as they are, so that it shows who locks one, or so that a write fails where
            it is made.
    """

    writable: bool = True

    def call(self, owner: Owner, method: str, call: Callable[..., Any], **lent: Array) -> Any:
        """Return what a method returns.

        Args:
            owner: of the method.
            method: its name.
            call: calls it with arrays.
            lent: the arrays, by the names that the method has for them.

        Raises:
            ConfigError: it writes or locks one, or changes what all others work in.
        """
        folder, errors = current_folder(), np.geterr()
        found = self._called(owner, method, call, lent)
        if folder is not None and current_folder() != folder:
            os.chdir(folder)
            raise owner.fault(method, "changes the current folder, from which all names of files begin")
        if np.geterr() != errors:
            np.seterr(**errors)
            raise owner.fault(method, "changes how NumPy takes errors everywhere; with np.errstate(...) is for a block")
        return found

    def _called(self, owner: Owner, method: str, call: Callable[..., Any], lent: dict[str, Array]) -> Any:
        if self.writable:
            open_ones = [name for name, array in lent.items() if array.flags.writeable]
            found = call(*lent.values())
            for name in open_ones:
                if not lent[name].flags.writeable:
                    raise owner.fault(method, f"makes {name} read-only, which belongs to others")
            return found
        try:
            return call(*map(_read_only, lent.values()))
        except ValueError as error:
            place = place_of_error(error)
            if place is None or "read-only" not in str(error):
                raise
            raise owner.fault(method, f"writes where it may not: {error}", place) from None


@dataclass(frozen=True)
class Owner:
    """Something of a plug-in's that is tried.

    Attributes:
        title: in messages: ``loss 'mine'``.
        kind: its class.
    """

    title: str
    kind: type

    def fault(self, method: str, message: str, place: tuple[str, int] | None = None) -> ConfigError:
        """Return the error for a method, at a place where a write failed or where the method begins."""
        if place is None:
            return ConfigError(f"{self.title}: {method} {message}", **place_of_method(self.kind, method))
        help = "its arguments belong to others: write into self.scratch(...), or into a new array"
        return ConfigError(f"{self.title}: {method} {message}", path=place[0], line=place[1], help=help)


def _read_only(array: Array) -> Array:
    shown = array.view()
    shown.flags.writeable = False
    return shown
