"""All architectures, each a recipe for layers; importing this package registers them."""

from nntrain.models import autoencoder, convolutional, linear, mlp, recurrent, resnet, sequential, transformer

__all__ = ["autoencoder", "convolutional", "linear", "mlp", "recurrent", "resnet", "sequential", "transformer"]
