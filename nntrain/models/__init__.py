"""All architectures, each a recipe for layers, and the names that each module registers."""

NAMES = {
    "architecture": {
        "autoencoder": ["autoencoder"],
        "convolutional": ["cnn", "fcn"],
        "linear": ["linear", "perceptron"],
        "mlp": ["mlp"],
        "recurrent": ["gru", "lstm", "rnn"],
        "resnet": ["resnet"],
        "sequential": ["sequential"],
        "transformer": ["transformer"],
    },
}
