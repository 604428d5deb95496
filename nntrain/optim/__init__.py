"""All optimizers and schedules; importing this package registers them."""

from nntrain.optim import schedules, sgd

__all__ = ["schedules", "sgd"]
