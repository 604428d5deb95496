"""All losses; importing this package registers them."""

from nntrain.losses import classification, regression

__all__ = ["classification", "regression"]
