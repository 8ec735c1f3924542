"""Whether a fault keeps its program from learning, which not every one does with other data than it was made for."""

from __future__ import annotations

import torch

from dataguard.training import Training

EPOCHS = {"baseCNN": 8, "deepCNN": 8, "regrNN": 30}
LOSS = 0.05
"""A fault hinders if the mean score of two seeds comes so much lower than that without it."""


def held_out_score(training: Training, epochs: int, seed: int) -> float:
    """Accuracy, or the share of variance explained, on the last third of the batches, after a plain training loop."""
    torch.manual_seed(seed)
    batches = list(training.loader)
    kept = batches[: len(batches) * 2 // 3]
    held = list(training.held_out) if training.held_out is not None else batches[len(kept) :]
    model, optimizer = training.model, training.optimizer
    if not hasattr(optimizer, "param_groups"):
        optimizer = optimizer(model.parameters())
    for _ in range(epochs):
        model.train()
        for x, y in kept:
            optimizer.zero_grad()
            loss = training.loss(model(x), y)
            if training.regularizer is not None:
                loss = loss + training.regularizer(model)
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        outputs = torch.cat([model(x) for x, _ in held])
    wanted = torch.cat([y for _, y in held])
    if wanted.is_floating_point():
        return float(1 - ((outputs - wanted) ** 2).mean() / wanted.var())
    return float((outputs.argmax(1) == wanted).float().mean())
