"""Fashion-MNIST from the CSV to a saved network in PyTorch: read, split, scale, train, validate, save."""

import sys

import pandas as pd
import torch

torch.manual_seed(0)
# Whole columns of bytes: pandas' fastest way to read pixels.
table = torch.from_numpy(pd.read_csv(sys.argv[1], dtype="uint8").to_numpy(copy=True))
y, x = table[:, 0].long(), table[:, 1:].float() / 255
order = torch.randperm(len(x))
val, train = order.tensor_split([len(x) // 10])
net = torch.nn.Sequential(
    torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)
)
optimizer, loss = torch.optim.Adam(net.parameters(), fused=True), torch.nn.CrossEntropyLoss()
for _ in range(5):
    net.train()
    for rows in train[torch.randperm(len(train))].split(128):
        optimizer.zero_grad()
        loss(net(x[rows]), y[rows]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(x[val]).argmax(1) == y[val]).float().mean().item()
torch.save(net.state_dict(), "fashion.pt")
print(accuracy)
