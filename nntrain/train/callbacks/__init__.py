"""All callbacks, and the names that each module registers."""

NAMES = {
    "callback": {
        "early_stopping": ["early_stopping"],
        "reduce_on_plateau": ["reduce_on_plateau"],
    },
}
