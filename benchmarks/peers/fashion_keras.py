"""Fashion-MNIST from the CSV to a saved network in Keras: read, split, scale, train, validate, save."""

import sys

import keras
import numpy as np
import pandas as pd

keras.utils.set_random_seed(0)
# Whole columns of bytes: pandas' fastest way to read pixels.
table = np.ascontiguousarray(pd.read_csv(sys.argv[1], dtype="uint8").to_numpy())
x, y = table[:, 1:].astype("float32") / 255, table[:, 0].astype("int32")
order = np.random.default_rng(0).permutation(len(x))
val, train = order[: len(x) // 10], order[len(x) // 10 :]
dense = keras.layers.Dense
net = keras.Sequential([keras.Input((784,)), dense(256, "relu"), dense(128, "relu"), dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile("adam", loss, metrics=["accuracy"])
net.fit(x[train], y[train], batch_size=128, epochs=5, validation_data=(x[val], y[val]), verbose=0)
net.save("fashion.keras")
