"""Iris from the CSV to a saved network in Keras: read, split, scale, train, validate, save."""

import sys

import keras
import numpy as np
import pandas as pd

keras.utils.set_random_seed(0)
table = pd.read_csv(sys.argv[1])
x = table.iloc[:, :4].to_numpy("float32")
y = table.species.astype("category").cat.codes.to_numpy("int32")
order = np.random.default_rng(0).permutation(len(x))
train, val = order[:120], order[120:]
x = (x - x[train].mean(0)) / x[train].std(0)
dense = keras.layers.Dense
net = keras.Sequential([keras.Input((4,)), dense(16, "relu"), dense(16, "relu"), dense(3)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
net.fit(x[train], y[train], batch_size=32, epochs=100, validation_data=(x[val], y[val]), verbose=0)
net.save("iris.keras")
