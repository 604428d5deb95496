"""The training loop, its state, its step and its callbacks."""
