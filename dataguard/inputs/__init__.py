"""What rules look at, made once a run and only where a rule asks for it."""

from dataguard.inputs.code import CODE_INPUTS
from dataguard.inputs.environment import ENVIRONMENT_INPUTS
from dataguard.inputs.loader import LOADER_INPUTS, Loader, recorded
from dataguard.inputs.made import Inputs
from dataguard.inputs.normalization import NORMALIZATION_INPUTS
from dataguard.inputs.preprocessing import PREPROCESSING_INPUTS
from dataguard.inputs.repository import REPOSITORY_INPUTS
from dataguard.inputs.reproduction import REPRODUCTION_INPUTS
from dataguard.inputs.source import TABLE_SUFFIXES, open_source
from dataguard.inputs.training import TRAINING_INPUTS
from dataguard.inputs.versions import SERVING_INPUTS, VERSION_INPUTS

__all__ = [
    "CODE_INPUTS",
    "ENVIRONMENT_INPUTS",
    "LOADER_INPUTS",
    "NORMALIZATION_INPUTS",
    "PREPROCESSING_INPUTS",
    "REPOSITORY_INPUTS",
    "REPRODUCTION_INPUTS",
    "SERVING_INPUTS",
    "TABLE_SUFFIXES",
    "TRAINING_INPUTS",
    "VERSION_INPUTS",
    "Inputs",
    "Loader",
    "open_source",
    "recorded",
]
