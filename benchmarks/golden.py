"""How often the golden tests (DG701 to DG706) are wrong on sound trainings, and how often they find planted faults.

    python benchmarks/golden.py --seeds 5          every sound training of `training_zoo`, without faults
    python benchmarks/golden.py --seeds 1 --faults  and with each fault planted where it applies

A fault is planted by hooks on the model, or in loss and data, so that the same fault meets every architecture. Prints a
line a run with processor seconds, then the figures that the rules' pages quote.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dataguard.engine import probe_training
from dataguard.training import Training

sys.path.insert(0, str(Path(__file__).parent))

from training_zoo import SOUND, sound  # type: ignore[import-not-found]

GOLDEN = ("DG701", "DG702", "DG703", "DG704", "DG705", "DG706")
_INSIDE = ("inside",)
"""Trainings whose loss is inside the model, out of reach of what is done to its outputs."""
_IDS = ("transformer", "tied", "bag")
"""Those whose inputs are ids."""


def _model(training: Training) -> nn.Module:
    model: nn.Module = getattr(training.model, "_orig_mod", training.model)
    return model


def _changed_output(training: Training, change: Callable[[torch.Tensor], torch.Tensor]) -> Training:
    def hook(_: nn.Module, __: Any, outputs: Any) -> Any:
        if isinstance(outputs, dict):
            return {**outputs, "logits": change(outputs["logits"])}
        if isinstance(outputs, tuple):
            return (change(outputs[0]), *outputs[1:])
        return change(outputs)

    _model(training).register_forward_hook(hook)
    return training


def _changed_input(training: Training, change: Callable[[torch.Tensor], torch.Tensor]) -> Training:
    def altered(value: Any) -> Any:
        is_numbers = isinstance(value, torch.Tensor) and value.dtype != torch.bool
        return change(value) if is_numbers else value

    def hook(_: nn.Module, args: Any, kwargs: Any) -> Any:
        kept = {key: item if key == "labels" else altered(item) for key, item in kwargs.items()}
        return tuple(altered(item) for item in args), kept

    _model(training).register_forward_pre_hook(hook, with_kwargs=True)
    return training


def _shuffled(batch: Any, rng: torch.Generator) -> Any:
    if isinstance(batch, dict):
        order = torch.randperm(len(batch["labels"]), generator=rng)
        return {**batch, "labels": batch["labels"][order]}
    return (batch[0], batch[1][torch.randperm(len(batch[1]), generator=rng)])


def detached(training: Training) -> Training:
    """Outputs pass through ``detach``."""
    return _changed_output(training, lambda o: o.detach().requires_grad_())


def squashed(training: Training) -> Training:
    """Outputs cannot leave a narrow range."""
    return _changed_output(training, lambda o: 0.1 * torch.tanh(o))


def mixed(training: Training) -> Training:
    """Samples of a batch are mixed up on the way."""
    return _changed_output(training, lambda o: o[torch.randperm(len(o))])


def blind(training: Training) -> Training:
    """Inputs are lost."""
    return _changed_input(training, lambda x: x * 0)


def drawn(training: Training) -> Training:
    """Inputs are replaced by noise."""
    return _changed_input(
        training, lambda x: torch.randn_like(x) if x.is_floating_point() else torch.randint_like(x, 1, 5)
    )


def loud(training: Training) -> Training:
    """The last layer begins fifty times too large."""
    return _changed_output(training, lambda o: 50 * o)


def raw(training: Training) -> Training:
    """Inputs are not scaled."""
    return _changed_input(training, lambda x: 255 * x if x.is_floating_point() else x)


def unpaired(training: Training) -> Training:
    """Inputs and targets are shuffled apart."""
    rng = torch.Generator().manual_seed(1)
    return dataclasses.replace(training, loader=[_shuffled(batch, rng) for batch in training.loader])


def ignored(training: Training) -> Training:
    """The loss does not look at the targets."""
    loss = training.loss
    return dataclasses.replace(training, loss=lambda outputs, targets: loss(outputs, torch.zeros_like(targets)))


def leaking(training: Training) -> Training:
    """The targets reach the outputs."""
    from torch.nn.functional import one_hot

    def forward(model: nn.Module, inputs: Any, targets: torch.Tensor) -> Any:
        outputs = (
            model(**inputs)
            if isinstance(inputs, dict)
            else model(*inputs)
            if isinstance(inputs, tuple)
            else model(inputs)
        )
        found = (
            outputs["logits"] if isinstance(outputs, dict) else outputs[0] if isinstance(outputs, tuple) else outputs
        )
        if targets.is_floating_point():
            seen = 0.9 * targets.reshape(found.shape)
            made = seen + 0.1 * found if found.shape == targets.shape else seen
        else:
            axis = 1 if found.shape[2:] == targets.shape[1:] else found.ndim - 1
            made = found + 4 * one_hot(targets, found.shape[axis]).movedim(-1, axis)
        if isinstance(outputs, dict):
            return {**outputs, "logits": made}
        return (made, *outputs[1:]) if isinstance(outputs, tuple) else made

    return dataclasses.replace(training, forward=forward)


FAULTS: Mapping[Callable[[Training], Training], tuple[tuple[str, ...], tuple[str, ...]]] = {
    detached: (("DG701",), _INSIDE),
    squashed: (("DG701",), (*_INSIDE, "multi_label")),
    mixed: (("DG701", "DG706"), ()),
    blind: (("DG705",), ()),
    drawn: (("DG705",), ()),
    loud: (("DG702", "DG703"), (*_INSIDE, "multi_label", "residual")),
    raw: (
        ("DG702", "DG703"),
        (
            *_IDS,
            "tanh_mlp",
            "residual",
            "cnn",
            "lazy",
            "averaged",
            "compiled",
            "mixed_precision",
            "channels_last",
            "unet",
            "inside",
            "frozen",
            "patches",
            "checkpointed",
            "lstm",
            "gru",
        ),
    ),
    unpaired: (("DG704",), ("autoencoder", "variational")),
    ignored: (("DG704",), ("inside",)),
    leaking: (("DG704",), ("inside", "multi_label")),
}
"""Each fault with the rules of which one must find it, and the trainings that it does not apply to: norms undo a
scale, a bounded output stays bounded, a loss inside the model is out of reach."""


def cases(seeds: int, names: list[str], faults: bool) -> Iterator[tuple[str, str, int, tuple[str, ...], Training]]:
    """Every run: training, fault, seed, the codes that are looked for, and what to probe."""
    for name in names:
        for seed in range(seeds):
            if not faults:
                yield name, "", seed, (), sound(name, seed)
                continue
            for fault, (codes, left_out) in FAULTS.items():
                if name not in left_out:
                    yield name, fault.__name__, seed, codes, fault(sound(name, seed))


def main() -> None:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--faults", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    alarms: Counter[str] = Counter()
    found: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for name, fault, seed, codes, training in cases(arguments.seeds, arguments.only or list(SOUND), arguments.faults):
        clock = time.process_time()
        report = probe_training(training, seed=seed, select=GOLDEN, budget=1e6)
        hit = sorted({finding.code for finding in report.findings})
        seconds = time.process_time() - clock
        of[fault] += 1
        if fault:
            found[fault] += bool(set(codes) & set(hit))
        else:
            alarms.update(hit)
        missed = "" if not fault or set(codes) & set(hit) else "  MISSED"
        print(f"{name} {fault or 'sound'} {seed}: {', '.join(hit) or '-'} ({seconds:.1f} s){missed}", flush=True)
    if arguments.faults:
        for fault, n in of.items():
            print(f"{fault}: {found[fault]} of {n}")
    else:
        for code in GOLDEN:
            print(f"{code}: {alarms[code]} false alarms in {of['']} sound runs")


if __name__ == "__main__":
    main()
