"""Iris from the CSV to a saved network, as short as PyTorch allows: read, split, scale, train, validate, save."""

import sys

import numpy as np
import pandas as pd
import torch

torch.manual_seed(0)
table = pd.read_csv(sys.argv[1])
x = table.iloc[:, :4].to_numpy("float32")
y = torch.tensor(table.species.astype("category").cat.codes.to_numpy("int64"))
order = np.random.default_rng(0).permutation(len(x))
train, val = torch.from_numpy(order[:120]), torch.from_numpy(order[120:])
x = torch.tensor((x - x[train].mean(0)) / x[train].std(0))
net = torch.nn.Sequential(
    torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
)
optimizer, loss = torch.optim.Adam(net.parameters(), 0.01, fused=True), torch.nn.CrossEntropyLoss()
for _ in range(100):
    net.train()
    for rows in train[torch.randperm(120)].split(32):
        optimizer.zero_grad()
        loss(net(x[rows]), y[rows]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(x[val]).argmax(1) == y[val]).float().mean().item()
torch.save(net.state_dict(), "iris.pt")
print(accuracy)
