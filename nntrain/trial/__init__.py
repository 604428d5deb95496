"""A user's own layers, loss, optimizer and callbacks on next to nothing, before anything is trained: do they fit?

nntrain's own keep their contracts by their tests; what a plug-in breaks would show somewhere else, in a layer behind.
"""

from nntrain.trial.callbacks import try_callbacks
from nntrain.trial.layers import try_layers
from nntrain.trial.losses import try_loss, try_outputs, try_task
from nntrain.trial.optimizers import try_optimizer

__all__ = ["try_callbacks", "try_layers", "try_loss", "try_optimizer", "try_outputs", "try_task"]
