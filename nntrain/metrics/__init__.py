"""All metrics; importing this package registers them."""

from nntrain.metrics import classification, regression

__all__ = ["classification", "regression"]
