"""All layers, one concept a file; importing this package registers them."""

from nntrain.layers import activations, dense, sequential

__all__ = ["activations", "dense", "sequential"]
