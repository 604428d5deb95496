"""Contract suites for layers, losses and optimizers: nntrain's own, and those of a plug-in.

Each suite takes a function that makes a fresh object, runs some 25 named checks and returns a table of them;
:func:`assert_passes` makes a test of it.

>>> from nntrain.layers.rectifiers import LeakyRelu
>>> assert_passes(check_layer(LeakyRelu, (3,)))
"""

from nntrain.testing.gradients import gradient_error, network_gradient_errors
from nntrain.testing.layers import check_layer
from nntrain.testing.losses import check_loss
from nntrain.testing.optimizers import check_optimizer
from nntrain.testing.suite import Check, assert_passes

__all__ = [
    "Check",
    "assert_passes",
    "check_layer",
    "check_loss",
    "check_optimizer",
    "gradient_error",
    "network_gradient_errors",
]
