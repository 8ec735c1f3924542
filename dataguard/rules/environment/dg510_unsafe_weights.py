"""DG510: weights that execute code when they are loaded."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Inconclusive, Location, Measurement, Observation, Outcome, Severity
from dataguard.core.rule import rule
from dataguard.environment.pickle_names import Danger
from dataguard.environment.pickles import PickleImport, PickleScan
from dataguard.environment.weights import WeightScans

_NAMED = 4
_SHOWN = 50


@rule("DG510", "unsafe-weights", Severity.ERROR)
def unsafe_weights(weights: WeightScans, *, allowed: tuple[str, ...] = ()) -> Iterator[Outcome]:
    r"""A file of weights executes code when it is loaded.

    ## What it does

    Reads every pickle below the folder, opcode by opcode (`.pkl`, `.pt`, `.pth`, `.ckpt`, `.bin`, `.joblib`, arrays of
    objects in `.npy` and `.npz`; archives of torch and the older form; pickles within pickles), for what it imports and
    calls. Nothing is loaded, imported or executed.

    ## Why is this bad?

    A pickle is a program. `torch.load` of a checkpoint that calls `os.system` runs it, with all rights of whoever loads
    it; `weights_only=True`, the default since torch 2.6, refuses it, and is turned off by exactly those repositories
    whose checkpoints need it.

    ## How it decides

    Each import has one of three meanings. *Harmless*: containers, numbers, arrays and tensors, by a list of names that
    holds all that torch's own `weights_only` unpickler accepts. *Executes* (an error): modules that run commands or
    code, open files or connections, reach other names by their attributes, or unpickle again; a name that is put
    together while loading; an attribute that begins with two underscores. *Unknown* (a warning): all other code. A
    class of the repository itself, as in a whole model that was pickled, is imported from whatever lies on the path,
    and does what it likes; its import is not malicious by itself. `allowed` makes names harmless that you know.

    A file that is cut off or malformed is judged by what would have run before the fault. At most 3,000,000
    instructions, 64 MiB of expanded members and 20,000 members of one file are read; a file beyond that is a warning,
    as not read to its end, and so is a compression that is not understood.

    *Measured*: state dictionaries and checkpoints with optimizers of torch (both forms), pickled and compressed arrays,
    and joblib files of scikit-learn have no error among them; `os.system` is found in all six protocols of pickle, in
    both forms of torch, in joblib's and NumPy's files, and in truncated ones. None of 20,000
    files of random bytes was reported (95 % interval: at most 0.02 %).

    Options:

    - `allowed`: names that are known to be safe, as `models.yolo.Model`, or whole modules, as `models.yolo`; names that
      execute commands cannot be allowed.

    ## Example

    >>> from dataguard.environment.pickles import scan_bytes
    >>> scan = scan_bytes(b"cos\nsystem\n(S'rm -rf ~'\ntR.", path="model.pt")
    >>> finding = unsafe_weights(WeightScans(root="/models", scans=(scan,), n_looked_at=1))[0]
    >>> print(finding.message)
    Loading 'model.pt' executes code: it calls os.system.

    ## How to fix

    Do not load it. Get the weights as safetensors, or from their author as a plain state dictionary, and load these
    with `torch.load(path, weights_only=True)`. Of a model that you trained yourself, save `model.state_dict()` and not
    `model`.

    ## References

    - Python documentation, `pickle`, the warning at its top; `pickletools`.
    - PyTorch documentation, *Serialization semantics*, `weights_only`.
    - Trail of Bits, *Never a dill moment: Exploiting machine learning pickle files*, 2021 (fickling).
    """
    n_found = 0
    for scan in weights.scans:
        imports = [item for item in scan.imports if item.danger and not _is_allowed(item, allowed)]
        if imports or scan.problem:
            n_found += 1
            yield _finding(scan, imports)
    if weights.unreadable:
        yield Inconclusive(reason=f"{len(weights.unreadable)} files could not be opened: {weights.unreadable[0]}, …")
    if weights.n_left_out:
        yield Inconclusive(reason=f"{weights.n_left_out:,} more files were not scanned: there are too many")
    n = len(weights.scans)
    yield Observation(
        message=f"{n_found} of {n} pickles hold more than weights ({weights.n_looked_at} files looked at).",
        measurements=(
            Measurement(name="files that may be pickles", value=weights.n_looked_at),
            Measurement(name="pickles", value=n),
            Measurement(name="pickles that import more than weights need", value=n_found, threshold=0),
        ),
    )


def _is_allowed(item: PickleImport, allowed: tuple[str, ...]) -> bool:
    if item.danger is not Danger.UNKNOWN:
        return False
    return any(item.dotted == name or item.dotted.startswith(f"{name}.") for name in allowed)


def _finding(scan: PickleScan, imports: list[PickleImport]) -> Outcome:
    executing = [item for item in imports if item.danger is Danger.EXECUTES]
    chosen = executing or imports
    names = list(dict.fromkeys(item.dotted for item in chosen))
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    unfinished = f" It could not be read to its end: {scan.problem}." if scan.problem else ""
    if executing:
        called = any(item.called for item in executing)
        message = f"Loading '{scan.path}' executes code: it {'calls' if called else 'imports'} {shown}.{unfinished}"
        remedy = (
            "Do not load it. Get the weights as safetensors or as a plain state dictionary, or from another source."
        )
        severity, confidence = Severity.ERROR, Confidence.HIGH if called else Confidence.MEDIUM
    elif imports:
        message = f"Loading '{scan.path}' imports code that weights do not need, and runs it: {shown}.{unfinished}"
        remedy = (
            "Load it with weights_only=True, which refuses it, or read that code first; better, get or save a plain "
            "state dictionary."
        )
        severity, confidence = Severity.WARNING, Confidence.MEDIUM
    else:
        message = f"'{scan.path}' could not be read to its end: {scan.problem}; what was read of it is harmless."
        remedy = "Load it with weights_only=True only, or get it again: it may be damaged."
        severity, confidence = Severity.WARNING, Confidence.LOW
    return unsafe_weights.finding(
        message,
        remedy=remedy,
        severity=severity,
        confidence=confidence,
        measurements=(
            Measurement(name="names that execute", value=len({item.dotted for item in executing}), threshold=0),
            Measurement(
                name="names that are not known",
                value=len({item.dotted for item in imports}) - len({item.dotted for item in executing}),
                threshold=0,
            ),
            Measurement(name="instructions read", value=scan.n_opcodes),
        ),
        locations=(Location(path=scan.path, note=scan.kind),),
        exhibits=(
            Listing(
                title="What it imports",
                columns=("name", "meaning", "called", "in"),
                rows=tuple(
                    (item.dotted, item.danger.name.lower(), "yes" if item.called else "no", item.member or "–")
                    for item in imports[:_SHOWN]
                ),
                total=len(imports),
            ),
        )
        if imports
        else (),
        key=(scan.path,),
    )
