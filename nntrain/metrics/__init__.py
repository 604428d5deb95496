"""All metrics; importing this package registers them."""

from nntrain.metrics import agreement, classification, multilabel, probability, ranking, regression

__all__ = ["agreement", "classification", "multilabel", "probability", "ranking", "regression"]
