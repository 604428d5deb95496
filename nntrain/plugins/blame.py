"""Whether an error is a plug-in's, and what its user is told of it."""

from __future__ import annotations

from types import FrameType

from nntrain.errors import ConfigError, NntrainError, quote
from nntrain.explaining import bug, explain_with
from nntrain.plugins.active import active_plugins, place_of_method, plugin_of
from nntrain.plugins.faults import described, fault_of, handled_last, is_signal, place_in
from nntrain.plugins.second_look import cannot_be_copied, given_wrongly
from nntrain.plugins.stray import tell_stray_errors

_OF_CODE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""What is raised where something of a plug-in's is not what it must be; the system's errors are nobody's fault."""


def place_of_error(error: BaseException) -> tuple[str, int] | None:
    """Return file and line of the innermost call in an active plug-in that an error came out of, or None."""
    return place_in(error, is_owned)


def is_owned(file: str) -> bool:
    """Return whether a file of code, as a frame names it, is an active plug-in's."""
    return any(plugin.owns(file) for plugin in active_plugins())


def outermost_call(frame: FrameType | None) -> FrameType | None:
    """Return the call by which nntrain has entered an active plug-in, as seen from a frame within it, or None."""
    found = None
    while frame is not None:
        found = frame if is_owned(frame.f_code.co_filename) else found
        frame = frame.f_back
    return found


def _explain(error: BaseException) -> NntrainError | None:
    """Return the error a user is told of where one is a plug-in's, or None where it is not, or not for sure.

    A pipe that nobody reads is no fault of what a plug-in prints.
    """
    if is_signal(error) or isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, AttributeError) and (without := _without_constructor(error)) is not None:
        return without
    place = place_of_error(error)
    return None if place is None else fault_of(error, is_owned, place[0])


def _without_constructor(error: AttributeError) -> ConfigError | None:
    """Return the error for a plug-in's thing that lacks what the constructor of its base class sets, or None."""
    factory, name = type(error.obj), error.name
    own, *others = [base for base in factory.__mro__ if "__init__" in base.__dict__]
    if plugin_of(factory) is None or plugin_of(own) is None:
        return None
    for base in others:
        sets = getattr(base.__dict__["__init__"], "__code__", None)
        if base.__module__.startswith("nntrain.") and sets is not None and name in sets.co_names:
            unset = f"its constructor has not called that of {base.__name__}, which sets {quote(name)}"
            place = place_of_method(factory, "__init__")
            return ConfigError(
                f"{factory.__name__}: {unset}", help="begin __init__ with super().__init__(...)", **place
            )
    return None


def _suspect(error: BaseException) -> NntrainError | None:
    """Return the error a user is told of where a plug-in may be at fault, or None where there is none.

    It is likely where the error came out of what nntrain did with something of a plug-in's.
    """
    is_of_code = bool(active_plugins()) and isinstance(error, _OF_CODE)
    known = (given_wrongly(error) or cannot_be_copied(error)) if is_of_code else None
    if known is not None:
        return known
    for value in handled_last(error) if is_of_code else ():
        plugin = plugin_of(type(value))
        if plugin is not None:
            reason = f"{type(value).__name__} cannot be used as it is: {described(error)}"
            help = f"see what nntrain check-plugin {plugin.source.path} finds"
            return ConfigError(reason, help=help, **plugin.place_of(type(value)))
    names = " ".join(plugin.source.path for plugin in active_plugins())
    return bug(error, ", or in a plug-in", f"see what nntrain check-plugin {names} finds") if names else None


explain_with(_explain, _suspect)
tell_stray_errors(is_owned)
