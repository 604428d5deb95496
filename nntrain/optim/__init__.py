"""All optimizers and schedules; importing this package registers them."""

from nntrain.optim import (
    adadelta,
    adagrad,
    adam,
    adamax,
    annealing,
    decays,
    lion,
    nadam,
    radam,
    rmsprop,
    schedules,
    sgd,
)

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "annealing",
    "decays",
    "lion",
    "nadam",
    "radam",
    "rmsprop",
    "schedules",
    "sgd",
]
