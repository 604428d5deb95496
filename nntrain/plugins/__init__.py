"""Plug-ins: Python files and installed modules with layers, losses, optimizers and the like of a user's own.

A plug-in is loaded because the user's config or command line names it, never because a run does: code that comes with
a run is not executed. Nothing of this package is loaded where no plug-in is named.
"""

from nntrain.plugins.active import (
    active_plugins,
    add_plugin,
    forget_plugins,
    place_of_method,
    plugin_of,
    records,
)
from nntrain.plugins.blame import outermost_call, place_of_error
from nntrain.plugins.needed import changed_plugins, missing, refuse_missing, told_changed
from nntrain.plugins.plugin import Plugin
from nntrain.plugins.source import is_file_name, name_of

__all__ = [
    "Plugin",
    "active_plugins",
    "add_plugin",
    "changed_plugins",
    "forget_plugins",
    "is_file_name",
    "missing",
    "name_of",
    "outermost_call",
    "place_of_error",
    "place_of_method",
    "plugin_of",
    "records",
    "refuse_missing",
    "told_changed",
]
