"""All metrics, and the names that each module registers."""

NAMES = {
    "metric": {
        "agreement": ["cohen_kappa", "matthews_correlation", "mcc"],
        "classification": [
            "accuracy",
            "balanced_accuracy",
            "f1",
            "f1_macro",
            "f1_micro",
            "f1_weighted",
            "precision",
            "precision_macro",
            "precision_micro",
            "precision_weighted",
            "recall",
            "recall_macro",
            "recall_micro",
            "recall_weighted",
            "top_5",
            "top_k",
        ],
        "multilabel": ["hamming_loss", "subset_accuracy"],
        "probability": ["brier", "log_loss"],
        "ranking": ["pr_auc", "roc_auc"],
        "regression": [
            "explained_variance",
            "mae",
            "mape",
            "max_error",
            "median_absolute_error",
            "mse",
            "pinball",
            "r2",
            "rmse",
        ],
    },
}
