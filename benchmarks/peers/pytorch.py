"""A training in PyTorch: eager, or ``torch.compile`` of the forward pass and the loss; fused Adam."""

from __future__ import annotations

import time

import torch
from torch import nn

from reading import Case, read_case, report


class Block(nn.Module):
    """Residual block for rows (Gorishniy et al. 2021): x + dense(dropout(relu(dense(batch_norm(x)))))."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(width), nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Last(nn.Module):
    """A recurrent layer's state after the last step."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x)[0][:, -1]


def network(case: Case) -> nn.Module:
    """Return the case's network, up to the logits."""
    net, outputs = case["net"], case["classes"] or 1
    if net["kind"] == "mlp":
        return nn.Sequential(*dense(case["shape"][0], net["hidden"], outputs))
    if net["kind"] == "resnet":
        width = net["width"]
        blocks = [Block(width, net["hidden"], net["dropout"]) for _ in range(net["blocks"])]
        head = [nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs)]
        return nn.Sequential(nn.Linear(case["shape"][0], width), *blocks, *head)
    if net["kind"] == "cnn":
        return convolutional(case, outputs)
    recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[net["kind"]]
    layer = recurrent(case["shape"][-1], net["units"], batch_first=True)
    return nn.Sequential(Last(layer), nn.Linear(net["units"], outputs))


def dense(inputs: int, hidden: list[int], outputs: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.ReLU()]
        inputs = units
    return [*layers, nn.Linear(inputs, outputs)]


def convolutional(case: Case, outputs: int) -> nn.Module:
    net, (side, _, channels) = case["net"], case["shape"]
    layers: list[nn.Module] = []
    for filters in net["filters"]:
        layers.append(nn.Conv2d(channels, filters, 3, padding=1))
        layers += [nn.BatchNorm2d(filters)] if net["batch_norm"] else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        side, channels = side // 2, filters
    return nn.Sequential(*layers, nn.Flatten(), *dense(side * side * channels, [net["dense"]], outputs))


def main() -> None:
    case, inputs, labels = read_case()
    torch.manual_seed(0)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    if case["net"]["kind"] == "cnn":
        x = x.permute(0, 3, 1, 2).contiguous()
    if case["classes"]:
        y = y.long()
    net = network(case)
    criterion = nn.CrossEntropyLoss() if case["classes"] else nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)

    def loss_of(inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return criterion(net(inputs), labels)

    if case.get("compile"):
        loss_of = torch.compile(loss_of)
    seconds = []
    net.train()
    for _ in range(case["epochs"]):
        started = time.perf_counter()
        for rows in torch.randperm(len(x)).split(case["batch"]):
            optimizer.zero_grad()
            loss_of(x[rows], y[rows]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
    report(seconds, torch.__version__)


if __name__ == "__main__":
    main()
