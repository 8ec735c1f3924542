"""The configuration as records, one for each table of ``dataguard.toml``; what a key means stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataguard.core.finding import Severity
from dataguard.core.rule import Rule

TASKS = ("classification", "regression")
"""What labels are."""
LAYOUTS = ("features", "NCHW", "NHWC")
"""How arrays that a model is fed with lie."""
PICTURE_FORMS = ("path", "bytes", "pillow", "array")
"""What a function of a picture can take."""
ENTRY_FORMS = ("paths", "path", "batch")
"""What an entry of inference can take."""
NORMALIZATION_METHODS = ("standard", "centre", "min-max", "max-abs", "robust", "whitening", "sample")
"""What can be done to numbers before a model is fed with them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetConfig:
    """The table ``[dataset]``: where the samples are and what their parts are called."""

    path: str | None = None
    """A folder of images or of tables, a CSV, Parquet or Arrow file, shards of WebDataset as ``train-{000..009}.tar``,
    a URL of fsspec's, or ``file.py:name`` of a torch dataset; relative to the configuration."""
    source: str | None = None
    """What kind of dataset it is, as 'folder', 'table' or 'webdataset'; by default told from the path."""
    pattern: str | None = None
    """Folders: a glob with named groups, as ``{split}/{label}/*.png``."""
    label: str | None = None
    """Tables: the column that holds the label."""
    splits: Mapping[str, tuple[str, ...]] | None = None
    """Tables: the files of each split, relative to ``path``, where no column says the split."""
    split: str | None = None
    """Tables: the column that says train, val or test."""
    image: str | None = None
    """Tables: the column that holds paths of images, relative to the table, or images."""
    group: str | None = None
    """Tables: the column that must not straddle splits, as a patient or a user."""
    time: str | None = None
    """Tables: the column that says when a row was recorded."""
    id: str | None = None
    """Tables: the column that names a row."""
    text: str | None = None
    """Tables: the column of texts that the labels are judged by."""
    limit: int | None = None
    """Streams: the most samples that are taken."""
    timeout: float | None = None
    """Datasets that your own code makes: seconds that going through one may take; None for 3600."""
    frame: Any = None
    """A table of pandas, polars or pyarrow that was given in Python. Not a key of the table."""
    pred_probs: str | None = None
    """A .npy, .npz or .parquet file of out-of-sample class probabilities."""
    predictions: str | None = None
    """A .npy file of out-of-sample predictions of a regression target."""
    features: str | None = None
    """A .npy or .npz file of features to judge the labels by."""
    embedding: str | None = None
    """What computes features to judge the labels by: ``module:callable``, or a folder with a checkpoint."""
    schema: str | None = None
    """A pandera schema: a YAML file, or ``module.py:Schema``."""
    task: str | None = None
    """'classification' or 'regression'; by default told from the labels."""
    version: str | None = None
    """What this version of the dataset is called, as ``1.2.0``; a snapshot keeps it."""
    against: str | None = None
    """A snapshot of a former version, that ``dataguard snapshot`` wrote, to hold this one against; relative to the
    configuration."""
    serving: str | None = None
    """A logged sample of what the model is fed with in service, a table or a folder, to hold training against."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderConfig:
    """The table ``[loader]``: what feeds the training loop, and how to look at it."""

    target: str | None = None
    """``module:name`` or ``file.py:name`` of a loader, or of a function that makes one; relative to the
    configuration."""
    batches: int | None = None
    """The most batches of an epoch that are looked at; None for all."""
    epochs: int = 2
    """How often it is gone through; with one, epochs cannot be compared."""
    label: str | int | None = None
    """Where the labels are in a batch: a key or an index; by default told from its form."""
    inputs: str | int | None = None
    """Where the inputs are, likewise."""
    id: str | int | None = None
    """Where the ids of the samples are, likewise."""
    timeout: float | None = None
    """Seconds that importing and recording the loader may take; None for 600."""
    base: Path | None = None
    """The folder that the target is relative to; None for that of the configuration. Not a key of the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeConfig:
    """The table ``[code]``: the scripts and notebooks that train and evaluate. They are read, never run."""

    paths: tuple[str, ...] = ()
    """Scripts, notebooks, and folders of these; relative to the configuration."""
    exclude: tuple[str, ...] = ()
    """Globs of what to leave out of the folders, by name or by path within the folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalizationConfig:
    """The table ``[normalization]``: what a model is fed with, and what the numbers were normalized with."""

    splits: Mapping[str, str] | None = None
    """A .npy or .npz file for each split, relative to the configuration."""
    loaders: Mapping[str, str] | None = None
    """``module:name`` or ``file.py:name`` for each split: an iterable of batches, or a function that returns one."""
    mean: tuple[float, ...] | None = None
    """Declared means, one a channel or column, that are yet to be subtracted."""
    std: tuple[float, ...] | None = None
    """Declared standard deviations."""
    scale: float | None = None
    """What raw values are divided by before that; 255 for pictures of 8 bits, else 1."""
    method: str | None = None
    """What was done: 'standard', 'centre', 'min-max', 'max-abs', 'robust', 'whitening' or 'sample'."""
    layout: str | None = None
    """'features', 'NCHW' or 'NHWC'; by default told from the shape."""
    timeout: float | None = None
    """Seconds that a loader may take; None for 600."""

    @property
    def fed(self) -> Mapping[str, str]:
        """What feeds the model, by split; {} where nothing is named."""
        return self.splits or self.loaders or {}


@dataclass(frozen=True, kw_only=True, slots=True)
class PreprocessingConfig:
    """The table ``[preprocessing]``: the paths that a picture takes to the model, in training and in serving."""

    train: str | None = None
    """``module:name``, ``file.py:name``, ``model.onnx``, ``http://…``, a command with ``{image}`` and ``{output}``, or
    a .json file that ``dataguard probe --save`` wrote; relative to the configuration."""
    serve: str | None = None
    """The same, of serving."""
    declared: str | None = None
    """A configuration of published weights, as ``preprocessor_config.json``."""
    model: str | None = None
    """``module:name`` of a function from a batch to outputs, to measure what the differences do."""
    images: str | None = None
    """A folder of pictures for that; folders in it are taken for classes."""
    takes: str | None = None
    """What the functions take: 'path', 'bytes', 'pillow' or 'array'; by default each is tried."""
    timeout: float | None = None
    """Seconds that one call may take; None for 30."""
    memory: float | None = None
    """GiB of address space that a function may use; None for 16."""
    sandbox: str | None = None
    """A Docker image to run the functions in, without network; None for a process of their own."""

    @property
    def named(self) -> bool:
        """Whether there are two paths to compare."""
        return self.serve is not None and (self.train is not None or self.declared is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentConfig:
    """The table ``[environment]``: the project whose requirements, locks and imports are checked. Nothing is run."""

    path: str | None = None
    """Its folder, or one file such as ``requirements.txt``; relative to the configuration."""
    exclude: tuple[str, ...] = ()
    """Globs of what to leave out of the folder, by name or by path within the folder."""
    installed: str | None = None
    """The virtual environment that it runs in, relative to the configuration; by default the ``.venv`` in its folder,
    or the one that is active."""
    resolve: bool = False
    """Whether uv or pip-tools is to find out if the requirements can be installed together. It asks the index that pip
    is set to, so that all names are sent there; source distributions are not built."""
    images: bool = False
    """Whether Docker on this machine is asked for the digests of base images; no registry is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InferenceConfig:
    """The table ``[inference]``: what ``dataguard lock`` runs, on what, and how; all paths relative to the file."""

    entry: str | None = None
    """``file.py:name`` or ``module:name`` of a function of a batch that returns an array, or one a stage."""
    command: str | None = None
    """In its place a command with ``{inputs}``, a list of paths, and ``{output}``, the .npz file that it writes."""
    inputs: tuple[str, ...] = ()
    """Files, folders of pictures or globs, or one .npy file whose rows are the samples."""
    weights: tuple[str, ...] = ()
    """Files, folders or globs of what the model is loaded from."""
    stages: tuple[str, ...] = ()
    """The stages in the order in which they happen; by default as the entry returns them."""
    output: str | None = None
    """The stage that is the result; by default the last."""
    classes: bool | None = None
    """Whether the result is one number a class; by default where it is called logits, probabilities or scores."""
    takes: str | None = None
    """What the entry is given: 'paths', 'path' or 'batch'; by default told from the inputs."""
    seed: int = 0
    """Of the generators of Python, NumPy and torch, and of Python's hash."""
    batch_size: int | None = None
    """Samples of a batch; None for 32."""
    timeout: float | None = None
    """Seconds that a run may take; None for 600."""
    memory: float | None = None
    """GiB of address space; None for 32."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables to run it with."""
    pipeline: str | None = None
    """A file that declares the preprocessing, as ``dataguard probe --save`` writes it."""
    environment: str | None = None
    """The virtual environment that it runs in; by default that of dataguard."""

    @property
    def named(self) -> bool:
        """Whether there is something to run."""
        return self.entry is not None or self.command is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig:
    """The table ``[training]``: the model that ``dataguard probe-training`` tries, and how. ``check`` runs no model."""

    target: str | None = None
    """``module:name`` or ``file.py:name`` of a function that returns (model, loss, loader), a dict with such keys, or
    a ``dataguard.training.Training``; relative to the configuration."""
    device: str | None = None
    """'cpu', 'cuda' or 'cuda:1'; by default where the model is."""
    budget: float | None = None
    """Seconds after which no further training run is begun; None for 120."""
    batches: int | None = None
    """The most batches that are fetched; None for 16."""
    samples: int | None = None
    """The number of samples after which no further batch is fetched; None for 1,024."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Everything that a run is told."""

    origin: str | None = None
    """The file it came from; None for the defaults."""
    base: Path = field(default_factory=Path)
    """The folder that relative paths of the configuration are relative to."""
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    code: CodeConfig = field(default_factory=CodeConfig)
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    select: tuple[str, ...] = ()
    """Codes, prefixes of codes or names of the rules to run; empty for all."""
    ignore: Mapping[str, str] = field(default_factory=dict)
    """Codes, prefixes or names of rules whose findings do not count, each with the reason, which may end in
    ``(until 2027-01-31)``. They are run all the same, so that an ignore which hides nothing is noticed."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Those that one run is told not to run at all, with the reason. Not a key of the file."""
    baseline: str | None = None
    """A file of findings that do not count, as ``dataguard baseline`` recorded them; relative to the configuration."""
    fail_on: Severity = Severity.ERROR
    """The least severity that fails a run: 'info', 'warning' or 'error'."""
    strict: bool = False
    """Whether a rule that was skipped or is inconclusive fails it too."""
    jobs: int | None = None
    """Threads; None for one a core."""
    engine: str | None = None
    """What decodes: 'spark', 'dask', 'ray', or one that another package brings, each with an address where need be, as
    ``spark=spark://host:7077``; None for threads of this process. The report is the same."""
    sample: int | None = None
    """How many samples to judge by, chosen at random; None for all. Rules that need all are skipped."""
    memory: str | None = None
    """The most that checks of a dataset may use, as ``2GB``; None for half of what the machine has."""
    seed: int = 0
    """Of all permutations and resamplings, and of the loader."""
    max_pixels: int = 178_956_970
    """The largest image that is decoded. Twice Pillow's MAX_IMAGE_PIXELS, above which Pillow refuses too."""
    cache: str | None = None
    """The cache folder; None for the user's cache folder."""
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options by rule code, checked."""

    def options(self, rule: Rule[Any]) -> dict[str, Any]:
        """Every option of a rule, with the value in force."""
        return rule.configure(self.rules.get(rule.code, {}), where=self._where(f"rules.{rule.code}"))

    def _where(self, key: str) -> str:
        return f"{self.origin}: {key}" if self.origin else key
