"""All callbacks; importing this package registers them."""

from nntrain.train.callbacks import early_stopping, reduce_on_plateau

__all__ = ["early_stopping", "reduce_on_plateau"]
