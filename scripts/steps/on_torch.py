"""The training step in PyTorch, written by hand: eager, with torch.optim.SGD."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Union

import torch
from network import DENSE, L2, MOMENTUM, RATE, SEED, Network, rate
from torch.nn import functional

torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


class Eager:
    """last: channels last in memory, else NCHW. sgd: how torch.optim.SGD updates. decay: L2 through weight_decay.

    place: ReLU overwrites what it is given.
    """

    def __init__(
        self,
        network: Network,
        last: bool = True,
        sgd: Union[str, None] = None,
        decay: bool = False,
        place: bool = False,
        compiled: bool = False,
    ) -> None:
        torch.manual_seed(SEED)
        self.done, self.last, self.dropout, self.decay, self.inplace = 0, last, network.dropout, decay, place
        self.place = torch.device("cuda" if network.device == "gpu" else "cpu")
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.weights = [self._weight(at, torch.from_numpy(one.copy())) for at, one in enumerate(network.weights)]
        self.parameters = sum(one.numel() for one in self.weights)
        groups = [
            {"params": self.weights[:DENSE]},
            {"params": self.weights[DENSE:], "weight_decay": L2 if decay else 0.0},
        ]
        self.optimizer = torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, **({sgd: True} if sgd else {}))
        self.batches = [self._batch(x, y) for x, y in network.batches]
        self.loss_of = torch.compile(self._loss) if compiled else self._loss

    def _weight(self, at: int, weight: Any) -> Any:
        if at in (0, 2):
            weight = weight.permute(3, 2, 0, 1).contiguous(memory_format=self.layout)
        if at == 4 and not self.last:  # its rows in the order in which NCHW is flattened
            weight = weight.reshape(7, 7, 64, 512).permute(2, 0, 1, 3).reshape(3136, 512)
        if at in (4, 6):
            weight = weight.t().contiguous()
        return weight.to(self.place).requires_grad_()

    def _batch(self, x: Any, y: Any) -> tuple[Any, Any]:
        images = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=self.layout)
        return images.to(self.place), torch.from_numpy(y).long().to(self.place)

    def _loss(self, x: Any, y: Any) -> tuple[Any, Any]:
        kernel1, bias1, kernel2, bias2, dense1, offset1, dense2, offset2 = self.weights
        relu = functional.relu_ if self.inplace else functional.relu
        x = functional.max_pool2d(relu(functional.conv2d(x, kernel1, bias1, padding=2)), 2)
        x = functional.max_pool2d(relu(functional.conv2d(x, kernel2, bias2, padding=2)), 2)
        x = x.permute(0, 2, 3, 1).flatten(1) if self.last else x.flatten(1)
        x = relu(functional.linear(x, dense1, offset1))
        if self.dropout:
            x = functional.dropout(x, self.dropout)
        x = functional.linear(x, dense2, offset2)
        loss = functional.cross_entropy(x, y)
        if self.decay:
            return loss, loss
        return loss, loss + L2 / 2 * sum(one.square().sum() for one in self.weights[DENSE:])

    def run(self, count: int) -> Any:
        loss = None
        for _ in range(count):
            now = rate(self.done)
            for group in self.optimizer.param_groups:
                group["lr"] = now
            self.optimizer.zero_grad(set_to_none=True)
            loss, total = self.loss_of(*self.batches[self.done % len(self.batches)])
            total.backward()
            self.optimizer.step()
            self.done += 1
        if self.place.type == "cuda":
            torch.cuda.synchronize()
        return loss

    def losses(self, count: int) -> list[float]:
        return [float(self.run(1).detach()) for _ in range(count)]


# The first is the plain one.
HAND: dict[str, Callable[[Network], Any]] = {
    "eager": Eager,
    "eager, foreach": partial(Eager, sgd="foreach"),
    "eager, fused": partial(Eager, sgd="fused"),
    "eager, NCHW": partial(Eager, last=False),
    "eager, L2 by weight_decay": partial(Eager, decay=True),
    "eager, L2 by weight_decay, fused": partial(Eager, sgd="fused", decay=True),
    "eager, L2 by weight_decay, foreach": partial(Eager, sgd="foreach", decay=True),
    "eager, L2 by weight_decay, NCHW": partial(Eager, last=False, decay=True),
    "eager, L2 by weight_decay, in place": partial(Eager, decay=True, place=True),
}
OTHERS: dict[str, Callable[[Network], Any]] = {
    "torch.compile": partial(Eager, compiled=True),
}
