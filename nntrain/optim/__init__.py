"""All optimizers and schedules, and the names that each module registers."""

NAMES = {
    "optimizer": {
        "adadelta": ["adadelta"],
        "adagrad": ["adagrad"],
        "adam": ["adam", "adamw", "amsgrad"],
        "adamax": ["adamax"],
        "lion": ["lion"],
        "nadam": ["nadam"],
        "radam": ["radam"],
        "rmsprop": ["rmsprop"],
        "sgd": ["momentum", "nesterov", "sgd"],
    },
    "schedule": {
        "annealing": ["cosine", "cosine_restarts", "linear", "one_cycle", "polynomial"],
        "decays": ["exponential", "inverse_time", "multi_step", "step"],
        "schedules": ["constant"],
    },
}
