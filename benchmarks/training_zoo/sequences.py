"""Models of sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataguard.training import Training
from training_zoo.bundled import adam, loader, waves, words  # type: ignore[import-not-found]


class Recurrent(nn.Module):
    """The last state of a recurrent network, classified."""

    def __init__(self, kind: Any, outputs: int) -> None:
        super().__init__()
        self.body = kind(1, 32, batch_first=True)
        self.head = nn.Linear(32, outputs)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        return self.head(self.body(x)[0][:, -1])


def lstm(seed: int) -> Training:
    """An LSTM that tells frequencies apart."""
    x, y = waves(seed)
    model = Recurrent(nn.LSTM, 3)
    return Training(
        model=model, loss=nn.CrossEntropyLoss(), loader=loader(x, y, seed=seed), optimizer=adam(model, 1e-2), clip=1.0
    )


def gru(seed: int) -> Training:
    """A GRU that foresees the next value."""
    x, _ = waves(seed)
    model = Recurrent(nn.GRU, 1)
    return Training(
        model=model,
        loss=nn.MSELoss(),
        loader=loader(x[:, :-1], x[:, -1], seed=seed),
        optimizer=adam(model, 1e-2),
    )


class Encoder(nn.Module):
    """Attention over words, with padding left out, averaged."""

    def __init__(self, vocabulary: int = 23, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width, padding_idx=0)
        self.place = nn.Parameter(torch.randn(1, 11, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """See `torch.nn.Module.forward`."""
        states = self.encoder(self.embed(input_ids) + self.place, src_key_padding_mask=~attention_mask)
        kept = attention_mask[..., None]
        return {"logits": self.head((states * kept).sum(1) / kept.sum(1))}


def transformer(seed: int) -> Training:
    """An encoder of padded texts that returns a dict."""
    ids, mask, target = words(seed)
    model = Encoder()
    batches = [{"input_ids": a, "attention_mask": b, "labels": c} for a, b, c in loader(ids, mask, target, seed=seed)]
    return Training(
        model=model,
        loss=nn.CrossEntropyLoss(),
        loader=batches,
        targets="labels",
        optimizer=adam(model),
        padding=0,
        mask="attention_mask",
    )


class Decoder(nn.Module):
    """A causal language model whose head shares the embedding's weights."""

    def __init__(self, vocabulary: int = 13, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(1, 11, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        n = ids.shape[1]
        mask = torch.triu(torch.ones(n, n, dtype=torch.bool), 1)
        return self.head(self.norm(self.body(self.embed(ids) + self.place[:, :n], mask=mask)))


def _next_word(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def tied(seed: int) -> Training:
    """A causal language model with tied weights, on sequences that count up by a step of their own."""
    rng = torch.Generator().manual_seed(seed)
    start, step = torch.randint(0, 13, (640, 1), generator=rng), torch.randint(1, 4, (640, 1), generator=rng)
    ids = (start + step * torch.arange(12)) % 13
    model = Decoder()
    return Training(
        model=model,
        loss=_next_word,
        loader=loader(ids[:, :-1], ids[:, 1:], seed=seed),
        optimizer=torch.optim.AdamW(model.parameters(), lr=3e-3),
        causal=True,
    )


class Causal(nn.Module):
    """Dilated convolutions that see the past alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(1 if i == 0 else 16, 16, 3, dilation=2**i) for i in range(3)])
        self.head = nn.Conv1d(16, 1, 1)

    def forward(self, x: Tensor) -> Any:
        """See `torch.nn.Module.forward`."""
        x = x.transpose(1, 2)
        for layer in self.layers:
            x = functional.gelu(layer(functional.pad(x, (2 * int(layer.dilation[0]), 0))))  # type: ignore[index]
        return self.head(x).transpose(1, 2)


def causal_convolution(seed: int) -> Training:
    """A temporal convolutional network that foresees each next value, with Huber's loss."""
    x, _ = waves(seed)
    model = Causal()
    return Training(
        model=model,
        loss=nn.HuberLoss(),
        loader=loader(x[:, :-1], x[:, 1:], seed=seed),
        optimizer=adam(model, 1e-2),
        causal=True,
    )


def bag(seed: int) -> Training:
    """A bag of embeddings."""
    ids, _, target = words(seed)
    model = nn.Sequential(nn.EmbeddingBag(23, 16, padding_idx=0), nn.Linear(16, 3))
    return Training(
        model=model, loss=nn.CrossEntropyLoss(), loader=loader(ids, target, seed=seed), optimizer=adam(model, 1e-2)
    )
