"""The script that most people would write: Hydra's own launcher, PyTorch's usual loop, a ``log_metric`` a point.

``python usual.py -m 'seed=range(10)' lr=0.01,0.05``
"""

from dataclasses import dataclass

import hydra
import mlflow
import numpy as np
import torch
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from torch import nn


@dataclass
class Config:
    seed: int = 0
    lr: float = 0.05
    samples: int = 256
    epochs: int = 1000
    measure_every: int = 10
    init: str | None = None  # an .npz file with x, y, W1, b1, W2, ...


ConfigStore.instance().store(name="usual", node=Config)


def load(network: nn.Sequential, init: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Start from given parameters; return the samples that go with them."""
    with np.load(init) as start, torch.no_grad():
        for number, layer in enumerate(network[::2], 1):
            layer.weight.copy_(torch.from_numpy(start[f"W{number}"]))
            layer.bias.copy_(torch.from_numpy(start[f"b{number}"]))
        return torch.from_numpy(start["x"]), torch.from_numpy(start["y"])


@hydra.main(config_path=None, config_name="usual", version_base="1.3")
def main(config: Config) -> None:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(config.seed)
    x = 2 * torch.rand(config.samples, 2) - 1
    y = x @ torch.tensor([[2.0], [3.0]]) + 10
    network = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1))
    if config.init:
        x, y = load(network, config.init)
    optimizer = torch.optim.SGD(network.parameters(), lr=config.lr)
    criterion = nn.MSELoss()
    mlflow.set_experiment("sweep")
    with mlflow.start_run():
        mlflow.log_params(OmegaConf.to_container(config))
        for epoch in range(config.epochs + 1):
            optimizer.zero_grad()
            loss = criterion(network(x), y) / 2
            if epoch % config.measure_every == 0:
                mlflow.log_metric("train/loss", loss.item(), step=epoch)
            if epoch < config.epochs:
                loss.backward()
                optimizer.step()
        mlflow.log_metric("train/r2", 1 - 2 * loss.item() / y.var(correction=0).item())


if __name__ == "__main__":
    main()
