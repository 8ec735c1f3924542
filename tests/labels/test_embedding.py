"""Embeddings by the user's own code: what it is given, what is refused, and that what is kept stays true."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from dataguard.core.errors import ConfigurationError
from dataguard.labels.embedding import run
from dataguard.labels.embedding.reference import Reference, resolve
from dataguard.labels.embedding.store import embedded

pytestmark = pytest.mark.slow

MODEL = """
import os, pathlib
import numpy as np

print("loading")

def embed(images):
    print("a line that nobody wants to see")
    assert all(image.mode == "RGB" for image in images)
    return np.stack([np.asarray(image, dtype=float).mean(axis=(0, 1)) for image in images])

def lengths(texts):
    return np.array([[len(text), text.count("a")] for text in texts], dtype=np.int64)

def scaled(texts):
    scale = float(pathlib.Path(__file__).with_name("weights.txt").read_text())
    return scale * lengths(texts)

def where(texts):
    import sys
    return [[os.getpid(), "torch" in sys.modules] for _ in texts]

def inner(texts):
    raise ValueError("no such layer")

def broken(texts):
    return inner(texts)

def dies(texts):
    print("last words")
    os.kill(os.getpid(), 11)

def leaves(texts):
    raise SystemExit(3)

def cube(texts):
    return np.zeros((len(texts), 2, 2))

def short(texts):
    return np.zeros((1, 2))

def words(texts):
    return texts

def infinite(texts):
    return np.full((len(texts), 2), np.inf)

def drifting(texts):
    rows = lengths(texts) * 1.0
    return rows - rows.mean(axis=0)

number = 3
"""
TEXTS = ["a", "banana", "", "cat"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


class Shelf(dict[str, bytes]):
    """A store in memory."""

    def get_blob(self, key: str) -> bytes | None:
        return self.get(key)

    def put_blob(self, key: str, value: bytes) -> None:
        self[key] = value


def embed(text: str, base: Path, items: list[str] | None = None, of: Literal["pictures", "texts"] = "texts") -> Any:
    return run.embed(resolve(text, base=base), TEXTS if items is None else items, of)


def kept(reference: Reference, store: Shelf, texts: list[str]) -> Any:
    return embedded(reference, texts, texts, "texts", scope="here", store=store)


@pytest.mark.parametrize("text", ["model.py:lengths", "model:lengths"])
def test_a_callable_without_torch_embeds_texts(folder: Path, text: str) -> None:
    made = embed(text, folder)
    assert made.values.dtype == np.float32
    assert made.values.tolist() == [[1, 1], [6, 3], [0, 0], [3, 1]]
    assert made.dependencies == (str(folder / "model.py"),)


def test_pictures_come_as_rgb(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.new("L", (4, 3), 50).save(folder / "gray.png")
    Image.new("RGBA", (4, 3), (10, 20, 30, 255)).save(folder / "colour\udce9.png")
    Image.fromarray(np.full((3, 4), 257 * 80, dtype=np.uint16)).save(folder / "deep.png")
    names = ["gray.png", "colour\udce9.png", "deep.png"]
    made = embed("model.py:embed", folder, [str(folder / name) for name in names], "pictures")
    assert made.values.tolist() == [[50, 50, 50], [10, 20, 30], [80, 80, 80]]
    assert made.dependencies == (str(folder / "model.py"),)  # and no picture
    assert capfd.readouterr() == ("", "")


def test_it_runs_in_another_process_that_imports_no_torch(folder: Path) -> None:
    (pid, torch), *_ = embed("model.py:where", folder).values.tolist()
    assert pid != os.getpid()
    assert not torch


def test_every_batch_has_its_place(folder: Path) -> None:
    texts = ["a" * length for length in range(11)]
    seen: list[int] = []
    made = run.embed(
        resolve("model.py:lengths", base=folder),
        texts,
        "texts",
        batch=3,
        progress=lambda stage, done, total: seen.append(done),
    )
    assert made.values[:, 0].tolist() == list(range(11))
    assert seen == sorted(seen)


def test_a_tensor_with_gradients_is_taken(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "net.py").write_text(
        "import torch\nlayer = torch.nn.Linear(1, 2).bfloat16()\n"
        "def embed(texts):\n    assert not torch.is_grad_enabled()\n"
        "    torch.nn.init.ones_(layer.weight)\n    torch.nn.init.zeros_(layer.bias)\n"
        "    return layer(torch.tensor([[len(text)] for text in texts]).bfloat16())\n"
    )
    assert embed("net.py:embed", folder).values.tolist() == [[1, 1], [6, 6], [0, 0], [3, 3]]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("broken", ["model.py:", "ValueError: no such layer (in the batch from 'a' on)", "in broken: return inner"]),
        ("dies", ["its process was killed by SIGSEGV", "last words"]),
        ("leaves", ["SystemExit: 3"]),
        ("cube", ["shape (4, 2, 2) for a batch of 4; expected (4, d)", "list of RGB PIL images, or of str"]),
        ("short", ["shape (1, 2) for a batch of 4"]),
        ("words", ["returned list, which is no array of numbers"]),
        ("infinite", ["NaN or infinite"]),
        ("drifting", ["in a smaller batch gave vectors that differ by", "model.eval()"]),
        ("embd", ["no 'embd' in it", "did you mean 'embed'?"]),
        ("number", ["'number' is no callable: int"]),
    ],
)
def test_what_fails_says_what_and_where(folder: Path, name: str, parts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        embed(f"model.py:{name}", folder)
    for part in (f"model.py:{name}", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("modle.py:embed", ["modle.py: no such file", "did you mean 'model.py'?"]),
        ("model", ["cannot tell a model from 'model'", "there is no folder", "file.py:function"]),
        ("model:", ["cannot tell a model"]),
        ("weights/mine", ["weights/mine: no such folder", "nothing is downloaded"]),
        ("model.py", ["is a file, not a checkpoint's folder"]),
        ("empty", ["no config.json"]),
        ("other", ["neither 'model_type' (transformers) nor 'architecture' (timm)"]),
        ("bare", ["no weights in this folder", "model.safetensors"]),
        ("torn", ["config.json: not valid JSON"]),
    ],
)
def test_a_reference_that_leads_nowhere(folder: Path, text: str, parts: list[str]) -> None:
    for name, config in (("empty", None), ("other", "{}"), ("bare", '{"model_type": "vit"}'), ("torn", "{")):
        (folder / name).mkdir()
        if config is not None:
            (folder / name / "config.json").write_text(config)
    with pytest.raises(ConfigurationError) as caught:
        resolve(text, base=folder)
    for part in parts:
        assert part in str(caught.value)


def test_a_module_that_is_not_there_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No module named 'absent_module'[\s\S]*pip install"):
        embed("absent_module:embed", folder)
    (folder / "wrong.py").write_text("def embed(:\n")
    with pytest.raises(ConfigurationError, match=r"wrong\.py:1: .*SyntaxError"):
        embed("wrong.py:embed", folder)


# What is kept


def test_only_new_contents_are_computed_and_each_once(folder: Path) -> None:
    store, reference = Shelf(), resolve("model.py:lengths", base=folder)
    first = kept(reference, store, ["x", "yy", "x"])
    assert (first.values[:, 0].tolist(), first.computed) == ([1, 2, 1], 2)
    second = kept(reference, store, ["zzz", "x", "yy"])
    assert (second.values[:, 0].tolist(), second.computed) == ([3, 1, 2], 1)
    assert kept(reference, store, ["x", "zzz"]).computed == 0
    assert not second.values.flags.writeable


def test_a_changed_source_or_weights_file_is_noticed(folder: Path) -> None:
    store = Shelf()
    (folder / "weights.txt").write_text("2")
    reference = resolve("model.py:scaled", base=folder)
    assert kept(reference, store, ["abc"]).values.tolist() == [[6, 2]]
    assert kept(reference, store, ["abc"]).computed == 0
    (folder / "weights.txt").write_text("5")
    assert kept(reference, store, ["abc"]).values.tolist() == [[15, 5]]
    (folder / "model.py").write_text(MODEL.replace("len(text), text", "len(text) + 1, text"))
    assert kept(reference, store, ["abc"]).values.tolist() == [[20, 5]]


def test_a_width_that_changed_unnoticed_computes_all_anew(folder: Path) -> None:
    store = Shelf()
    (folder / "wide.py").write_text(
        "import os, numpy as np\ndef embed(texts):\n    return np.ones((len(texts), int(os.environ['WIDTH'])))\n"
    )
    reference = resolve("wide.py:embed", base=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WIDTH", "2")
        assert kept(reference, store, ["a"]).values.shape == (1, 2)
        patch.setenv("WIDTH", "3")
        assert kept(reference, store, ["a", "b"]).values.shape == (2, 3)
        assert kept(reference, store, ["a", "b"]).computed == 0


# Checkpoints; nothing is downloaded, the weights are random.


def has(*names: str) -> bool:
    """Whether packages can be imported, seen from a process of its own: some take long, or break torch."""
    if any(importlib.util.find_spec(name) is None for name in names):
        return False
    code = "; ".join(f"import {name}" for name in names)
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


needs_transformers = pytest.mark.skipif(
    not has("torch", "transformers"), reason="transformers and torch are not installed"
)
needs_timm = pytest.mark.skipif(
    not has("torch", "timm", "safetensors"), reason="timm with a torchvision that fits torch is not installed"
)


def pictures(folder: Path, n: int = 5) -> list[str]:
    from PIL import Image

    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(n)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return [str(path) for path in paths]


def test_a_library_that_is_missing_is_named_with_its_command(folder: Path) -> None:
    if importlib.util.find_spec("timm") is not None and importlib.util.find_spec("torch") is not None:
        pytest.skip("timm is installed")
    (folder / "net").mkdir()
    (folder / "net" / "config.json").write_text(json.dumps({"architecture": "resnet10t"}))
    (folder / "net" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"needs (timm|torch), which is not installed[\s\S]*pip install"):
        embed("net", folder, [], "pictures")


def test_preparation_is_what_the_configuration_says() -> None:
    from PIL import Image

    from dataguard.labels.embedding.checkpoint import picture_preparation

    config = {"input_size": [3, 8, 8], "mean": [0.5] * 3, "std": [0.25] * 3, "crop_pct": 0.5}
    prepare = picture_preparation(config, Path("here"))
    picture = Image.new("RGB", (64, 32), (255, 0, 0))
    picture.paste((0, 0, 255), (24, 8, 40, 24))  # the middle half of the picture's height
    made = prepare(picture)
    assert made.shape == (3, 8, 8)
    np.testing.assert_allclose(made[:, 2:-2, 2:-2], np.array([-2, -2, 2]).reshape(3, 1, 1).repeat(4, 1).repeat(4, 2))
    with pytest.raises(ConfigurationError, match="no 'mean' in 'pretrained_cfg'"):
        picture_preparation({"input_size": [3, 8, 8]}, Path("here"))
    with pytest.raises(ConfigurationError, match="crop_mode 'border'"):
        picture_preparation({**config, "crop_mode": "border"}, Path("here"))


@needs_transformers
@pytest.mark.slow
def test_a_transformers_checkpoint_embeds_pictures(folder: Path) -> None:
    import torch

    transformers: Any = importlib.import_module("transformers")

    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = transformers.ViTModel(transformers.ViTConfig(**settings, image_size=16, patch_size=8)).eval()
    model.save_pretrained(folder / "vit")
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": 16, "width": 16},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    (folder / "vit" / "preprocessor_config.json").write_text(json.dumps(processor))
    paths = pictures(folder)
    made = embed("vit", folder, paths, "pictures")

    from PIL import Image

    resized = [Image.open(path).resize((16, 16), Image.Resampling.BILINEAR) for path in paths]
    pixels = np.stack([np.asarray(picture).transpose(2, 0, 1) for picture in resized]) / 127.5 - 1
    with torch.no_grad():
        expected = model(pixel_values=torch.tensor(pixels, dtype=torch.float32)).pooler_output.numpy()
    # The processor's own arithmetic differs from this by up to 2e-4.
    np.testing.assert_allclose(made.values, expected, atol=1e-3)
    assert made.device in ("cpu", "cuda")


@needs_transformers
@pytest.mark.slow
def test_a_transformers_checkpoint_embeds_texts_and_refuses_pickles(folder: Path) -> None:
    import torch

    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[PAD]": 0, "[UNK]": 1, "cat": 2, "dog": 3}, "[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    wrapped.save_pretrained(folder / "bert")
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = transformers.BertModel(transformers.BertConfig(**settings, vocab_size=4, max_position_embeddings=8)).eval()
    model.save_pretrained(folder / "bert")
    texts = ["cat", "dog cat dog", "cat " * 50]
    made = embed("bert", folder, texts)
    with torch.no_grad():
        expected = [
            model(input_ids=torch.tensor([ids])).last_hidden_state.mean(dim=1)[0].numpy()
            for ids in ([2], [3, 2, 3], [2] * 8)
        ]
    np.testing.assert_allclose(made.values, np.stack(expected), atol=1e-4)

    (folder / "bert" / "model.safetensors").unlink()
    marker = folder / "marker"
    torch.save({"x": Malice(str(marker))}, folder / "bert" / "pytorch_model.bin")
    with pytest.raises(ConfigurationError, match="a pickle of more than tensors"):
        embed("bert", folder, texts)
    assert not marker.exists()


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@needs_timm
@pytest.mark.slow
def test_a_timm_checkpoint_embeds_pictures(folder: Path) -> None:
    import torch

    timm: Any = importlib.import_module("timm")

    model = timm.create_model("resnet10t", pretrained=False, num_classes=3).eval()
    timm.models.save_for_hf(model, str(folder / "net"), model_config={"num_classes": 3})
    paths = pictures(folder, 3)
    made = embed("net", folder, paths, "pictures")

    from PIL import Image

    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    pixels = torch.stack([transform(Image.open(path)) for path in paths])
    with torch.no_grad():
        expected = model.forward_head(model.forward_features(pixels), pre_logits=True).numpy()
    np.testing.assert_allclose(made.values, expected, atol=1e-4)
    with pytest.raises(ConfigurationError, match="models of pictures only"):
        embed("net", folder, ["a text"])
