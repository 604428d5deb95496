"""A training with ``Model.fit`` of Keras 3, on the backend that ``KERAS_BACKEND`` names."""

from __future__ import annotations

import time
from typing import Any

import keras
from keras import layers

from reading import Case, read_case, report


def network(case: Case) -> keras.Model:
    """Return the case's network, up to the logits."""
    net = case["net"]
    inputs = x = keras.Input(case["shape"])
    if net["kind"] == "mlp":
        for units in net["hidden"]:
            x = layers.Dense(units, activation="relu")(x)
    elif net["kind"] == "resnet":
        x = layers.Dense(net["width"])(x)
        for _ in range(net["blocks"]):
            inside = layers.Dense(net["hidden"], activation="relu")(layers.BatchNormalization()(x))
            x = x + layers.Dense(net["width"])(layers.Dropout(net["dropout"])(inside))
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    elif net["kind"] == "cnn":
        for filters in net["filters"]:
            x = layers.Conv2D(filters, 3, padding="same")(x)
            x = layers.BatchNormalization()(x) if net["batch_norm"] else x
            x = layers.MaxPooling2D(2)(layers.Activation("relu")(x))
        x = layers.Dense(net["dense"], activation="relu")(layers.Flatten()(x))
    else:
        recurrent = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[net["kind"]]
        x = recurrent(net["units"])(x)
    return keras.Model(inputs, layers.Dense(case["classes"] or 1)(x))


class Times(keras.callbacks.Callback):
    """Notes the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.started)


def main() -> None:
    case, x, y = read_case()
    keras.utils.set_random_seed(0)
    model = network(case)
    loss: Any = "mean_squared_error"
    if case["classes"]:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Dispatching several updates at once is faster for small networks (120 to 50 us); a large one compiles for minutes.
    at_once = 10 if case["net"]["kind"] == "mlp" and case["updates"] % 10 == 0 else 1
    model.compile(keras.optimizers.Adam(1e-3), loss, steps_per_execution=at_once)
    times = Times()
    model.fit(x, y, batch_size=case["batch"], epochs=case["epochs"], shuffle=True, verbose=0, callbacks=[times])
    report(times.seconds, f"{keras.__version__} on {keras.backend.backend()}")


if __name__ == "__main__":
    main()
