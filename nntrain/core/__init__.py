"""What a network is made of: parameters in one flat store, layers, initializers, randomness by role."""
