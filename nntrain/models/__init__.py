"""All architectures, each a recipe for layers; importing this package registers them."""

from nntrain.models import linear, mlp, sequential

__all__ = ["linear", "mlp", "sequential"]
