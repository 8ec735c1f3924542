"""The process that a user's function runs in: it loads it, and answers with what it makes of one picture after another.

``python -m dataguard.preprocessing.probe.child`` talks over its standard input and output. Both belong to the protocol
alone: what the user's code prints goes to standard error, and what it reads is empty.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from dataguard.core.errors import ConfigurationError, DataguardError
from dataguard.core.users_code import load_named, shortened_error, users_code
from dataguard.preprocessing.probe.asking import ProbeError, as_array, form_of, seed_generators

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTH = struct.Struct(">Q")
LARGEST_MESSAGE = 4 << 30
"""Bytes of one part of a message; a longer one means that something else wrote into the pipe."""


def send(stream: BinaryIO, header: Mapping[str, Any], payloads: Sequence[bytes] = ()) -> None:
    """Write one message: a header, and as many blocks of bytes as belong to it."""
    text = json.dumps({**header, "payloads": len(payloads)}).encode()
    for part in (text, *payloads):
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Read one message.

    Raises:
        EOFError: the other side has gone.
        ValueError: what came is no message.
    """
    header: dict[str, Any] = json.loads(_part(stream))
    return header, [_part(stream) for _ in range(header["payloads"])]


def _part(stream: BinaryIO) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    if length > LARGEST_MESSAGE:
        raise ValueError("the pipe holds something else than a message")
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, length: int) -> bytes:
    parts = []
    while length:
        part = stream.read(length)
        if not part:
            raise EOFError
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def packed(array: NDArray[Any]) -> bytes:
    """An array as the bytes of a .npy file."""
    target = io.BytesIO()
    np.save(target, array, allow_pickle=False)
    return target.getvalue()


def unpacked(content: bytes) -> NDArray[Any]:
    """The array in the bytes of a .npy file.

    Raises:
        ValueError: they are none, or hold Python objects.
    """
    found: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return found


# In the child


def main() -> None:
    """Load what the first message names, and answer all that follow until the pipe is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    questions = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    job, _ = receive(questions)
    _limit_memory(job["memory"])
    try:
        function = _loaded(job)
    except DataguardError as error:
        send(answers, {"error": error.message, "where": error.where, "hint": error.hint})
        return
    send(answers, {"loaded": True})
    with tempfile.TemporaryDirectory(prefix="dataguard-probe-") as folder:
        while True:
            try:
                header, payloads = receive(questions)
            except EOFError:
                return
            header, payloads = _answered(function, header, payloads, Path(folder), job)
            send(answers, header, payloads)


def _limit_memory(limit: int | None) -> None:
    if limit is None:
        return
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _answered(
    function: Callable[[Any], object],
    header: Mapping[str, Any],
    payloads: list[bytes],
    folder: Path,
    job: Mapping[str, Any],
) -> tuple[dict[str, Any], list[bytes]]:
    try:
        given = _given(header, payloads, folder)
        before = np.array(given) if header["kind"] in ("array", "pillow") else None
        if header["seeded"]:
            seed_generators()
        returned = function(given)
        # A model is asked about a batch, and may answer with a list.
        answer = np.asarray(as_array(returned, several=bool(job.get("model"))))
        after = [] if before is None or np.array_equal(before, np.asarray(given)) else [packed(np.asarray(given))]
        return {"mutated": bool(after), "form": form_of(returned)}, [packed(answer), *after]
    except ProbeError as error:
        return {"error": error.message, "hint": error.hint}, []
    except SystemExit as error:
        return {"error": f"the function ends the process: sys.exit({error.code!r})", "fatal": True}, []
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is an answer
        if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
            memory = job["memory"]
            allowed = "there is" if memory is None else f"the limit of {memory / (1 << 30):.3g} GiB"
            return {"error": f"the function needs more memory than {allowed}: {error}", "fatal": True}, []
        return {"error": f"the function raised {shortened_error(error)}"}, []


_OUT_OF_MEMORY = ("can't allocate", "nsufficient memory")
"""How libraries say it that do not raise MemoryError: torch, OpenCV."""


def _given(header: Mapping[str, Any], payloads: list[bytes], folder: Path) -> Any:
    kind = header["kind"]
    if kind == "path":
        return header["path"]
    if kind == "file":
        path = folder / f"picture{header['suffix']}"
        path.write_bytes(payloads[0])
        return str(path)
    if kind == "bytes":
        return payloads[0]
    if kind == "opened":
        from PIL import Image

        return Image.open(io.BytesIO(payloads[0]))
    pixels = unpacked(payloads[0])
    if kind == "pillow":
        from PIL import Image

        return Image.fromarray(pixels)
    return pixels


def _loaded(job: Mapping[str, Any]) -> Callable[[Any], object]:
    target, base = str(job["target"]), Path(job["base"])
    sys.path.insert(0, str(base))
    if "{image}" in target or "{output}" in target:
        from dataguard.preprocessing.probe.command import Command
        from dataguard.preprocessing.probe.function import Limits

        return Command(target, base=base, limits=Limits(timeout=job["timeout"]))
    if ".onnx" in target:
        return onnx_head(target, base)
    found = load_named(target, base, what="function")
    made = callable(found) and (isinstance(found, type) or _is_factory(found))
    if made:
        with users_code(target, "making it failed"):
            found = found()
    if not callable(found):
        raise ConfigurationError(
            f"{type(found).__name__} cannot be called", where=target, hint="name a function of one picture"
        )
    function: Callable[[Any], object] = found
    return _evaluated(function) if job.get("model") else function


def _evaluated(function: Callable[[Any], object]) -> Callable[[Any], object]:
    """A network of torch as a function of arrays; anything else as it is."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(function, torch.nn.Module):
        return function
    network: Any = function
    network.eval()

    def ask(batch: NDArray[Any]) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(batch))

    return ask


def _is_factory(found: Callable[..., object]) -> bool:
    """Whether it is a function without parameters, which makes the function that is meant."""
    if not inspect.isroutine(found):
        return False
    try:
        return not inspect.signature(found).parameters
    except (TypeError, ValueError):
        return False


_NETWORK = ("Conv", "ConvInteger", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul")
"""Operators that a network begins with; what comes before the first of them is preprocessing."""


def onnx_head(target: str, base: Path) -> Callable[[Any], object]:
    """What an ONNX graph does to its input before its first layer with weights; takes uint8 pixels.

    ``model.onnx:tensor`` names the tensor that is looked at instead.

    Raises:
        ConfigurationError: the file or the tensor is missing, or no onnxruntime is installed.
    """
    name, _, tensor = target.rpartition(".onnx")
    path = base / f"{name}.onnx"
    tensor = tensor.removeprefix(":")
    if not path.is_file():
        raise ConfigurationError("no such file", where=path)
    try:
        onnx, onnxruntime = (importlib.import_module(module) for module in ("onnx", "onnxruntime"))
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed", where=path, hint="pip install onnx onnxruntime"
        ) from error
    with users_code(target, "the graph cannot be loaded"):
        model = onnx.load(str(path))
        initial = {item.name for item in model.graph.initializer}
        (feed, *others) = [item for item in model.graph.input if item.name not in initial]
        known = {output for node in model.graph.node for output in node.output}
        if tensor and tensor not in known:
            raise ConfigurationError(f"the graph has no tensor {tensor!r}", where=path)
        first = next((node.input[0] for node in model.graph.node if node.op_type in _NETWORK), "")
        cut = tensor or first or model.graph.output[0].name
        if cut not in {output.name for output in model.graph.output} and cut != feed.name:
            model.graph.output.append(onnx.ValueInfoProto(name=cut))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    if others:
        raise ConfigurationError(
            f"the graph has {1 + len(others)} inputs", where=path, hint="one picture is all that can be asked about"
        )
    shape = [size.dim_value for size in feed.type.tensor_type.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(feed.type.tensor_type.elem_type)

    def ask(pixels: NDArray[Any]) -> object:
        values = pixels
        if len(shape) >= 3 and shape[-3] in (1, 3) and shape[-1] not in (1, 3):
            values = np.ascontiguousarray(values.transpose(2, 0, 1))
        if len(shape) == 4:
            values = values[None]
        values = values.astype(dtype)
        return values if cut == feed.name else session.run([cut], {feed.name: values})[0]

    return ask


if __name__ == "__main__":
    main()
