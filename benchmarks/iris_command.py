"""The whole command on iris against the shortest PyTorch script that does the same, as processes, interleaved.

python benchmarks/iris_command.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

TORCH = f"""
import numpy as np, pandas as pd, torch
torch.manual_seed(0)
table = pd.read_csv({str(ROOT / "datasets" / "iris.csv")!r})
x = table.iloc[:, :4].to_numpy("float32")
y = torch.tensor(table.species.astype("category").cat.codes.to_numpy("int64"))
order = np.random.default_rng(0).permutation(len(x))
train, val = order[:120], order[120:]
x = torch.tensor((x - x[train].mean(0)) / x[train].std(0))
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(),
                          torch.nn.Linear(16, 3))
optimizer, loss = torch.optim.Adam(net.parameters(), 0.01, fused=True), torch.nn.CrossEntropyLoss()
for epoch in range(100):
    net.train()
    for rows in np.split(np.random.permutation(train), range(32, 120, 32)):
        optimizer.zero_grad()
        loss(net(x[rows]), y[rows]).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy = (net(x[val]).argmax(1) == y[val]).float().mean().item()
torch.save(net.state_dict(), "iris.pt")
"""


def timed(command: list[str], folder: str) -> tuple[float, float]:
    """Return seconds and peak memory in MB of a process."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main(rounds: int) -> None:
    nntrain = str(Path(sys.executable).parent / "nntrain")
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "nntrain fit": [nntrain, "fit", str(ROOT / "configs" / "iris_mlp.yaml")],
            "PyTorch script": [sys.executable, "-c", TORCH],
            "nntrain --help": [nntrain, "--help"],
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                measured = timed(command, folder)
                if number:  # The first round warms the file cache.
                    found[name].append(measured)
    for name, values in found.items():
        seconds, memory = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:<16} {seconds * 1000:8.0f} ms {memory:8.0f} MB")
    ratios = [a[0] / b[0] for a, b in zip(found["nntrain fit"], found["PyTorch script"], strict=True)]
    print(f"fit / PyTorch, median of {rounds} pairs: {statistics.median(ratios):.3f} of the time")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
