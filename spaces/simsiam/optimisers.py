"""The optimisers of the race behind one call: SGD, Adam, L-BFGS and random search.

The article's answer must involve the optimiser: with stop-gradient the update is not the gradient of any
function, so what "minimise" means is the optimiser's affair. Here L-BFGS and random search, which evaluate
the loss several times a step, keep the targets of the step's beginning fixed when stop-gradient is on: each
step then minimises a true function. Without stop-gradient they minimise the loss itself, targets and all.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from spaces.simsiam.model import SimSiam
from spaces.simsiam.settings import Settings

Evaluate = Callable[[torch.Tensor | None], torch.Tensor]


class Stepper:
    """One optimiser over a network's parameters; `state` is picklable CPU data."""

    def __init__(self, model: SimSiam, settings: Settings, saved: dict | None):
        self.settings = settings
        slow = [*model.encoder.parameters(), *model.projector.parameters()]
        fast = [p for p in model.predictor.parameters() if p.requires_grad] if model.predictor is not None else []
        self.parameters = slow + fast
        self.optimizer = _build(settings, slow, fast)
        if saved is not None and self.optimizer is not None:
            groups = self.optimizer.state_dict()["param_groups"]  # today's rates, not yesterday's
            # a copy: torch keeps the tensors it is given, and would train the old state's memory on
            self.optimizer.load_state_dict({"state": _copied(saved), "param_groups": groups})

    def state(self) -> dict:
        """The optimiser's memory, without its rates."""
        return _copied(self.optimizer.state_dict()["state"]) if self.optimizer is not None else {}

    def step(self, evaluate: Evaluate, target: Callable[[], torch.Tensor], generator: torch.Generator) -> None:
        """One step. evaluate(held) → this batch's loss; target() → the targets of the last evaluation."""
        if self.settings.optimizer == "random_search":
            return self._search(evaluate, target, generator)
        if self.settings.optimizer == "lbfgs":
            return self._lbfgs(evaluate, target)
        self.optimizer.zero_grad()
        evaluate(None).backward()
        self.optimizer.step()

    def _lbfgs(self, evaluate: Evaluate, target: Callable[[], torch.Tensor]) -> None:
        held: list[torch.Tensor] = []

        def closure() -> torch.Tensor:
            self.optimizer.zero_grad()
            loss = evaluate(held[0] if held else None)
            if self.settings.stop_gradient and not held:
                held.append(target())
            decay = sum(p.pow(2).sum() for p in self.parameters) * (self.settings.weight_decay / 2)
            (loss + decay).backward()
            return loss + decay

        self.optimizer.step(closure)

    @torch.no_grad()
    def _search(self, evaluate: Evaluate, target: Callable[[], torch.Tensor], generator: torch.Generator) -> None:
        """Try one random move of all weights and keep it if the batch's loss falls."""
        before = float(evaluate(None))
        held = target() if self.settings.stop_gradient else None
        old = [p.clone() for p in self.parameters]
        for p in self.parameters:
            noise = torch.randn(p.shape, generator=generator).to(p.device)
            p.add_(noise * (self.settings.rate * p.pow(2).mean().sqrt().clamp(min=1e-3)))
        if not float(evaluate(held)) < before:
            for p, kept in zip(self.parameters, old, strict=True):
                p.copy_(kept)


def _build(settings: Settings, slow: list, fast: list) -> torch.optim.Optimizer | None:
    rate, decay = settings.rate, settings.weight_decay
    groups = [{"params": slow}, {"params": fast, "lr": rate * settings.predictor_rate}]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, weight_decay=decay)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, weight_decay=decay)
    if settings.optimizer == "lbfgs":
        return torch.optim.LBFGS(slow + fast, lr=rate, max_iter=4, history_size=10, line_search_fn="strong_wolfe")
    return None


def _copied(value):
    """A deep copy on the CPU of tensors in dicts and lists."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value
