"""All losses; importing this package registers them."""

from nntrain.losses import classification, counts, margin, regression

__all__ = ["classification", "counts", "margin", "regression"]
