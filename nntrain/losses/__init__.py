"""All losses, and the names that each module registers."""

NAMES = {
    "loss": {
        "classification": ["binary_cross_entropy", "cross_entropy"],
        "counts": ["poisson"],
        "margin": ["focal", "hinge", "perceptron", "squared_hinge"],
        "regression": ["huber", "log_cosh", "mae", "mse", "quantile"],
    },
}
