"""What the names that a pickle imports mean: parts of weights, unknown code, or what runs commands."""

from __future__ import annotations

import _compat_pickle
import builtins
import re
from enum import IntEnum


class Danger(IntEnum):
    """What an import of a pickle means."""

    HARMLESS = 0
    """A container, a number, an array or a tensor: what weights are made of."""
    UNKNOWN = 1
    """Code that is not torch's or NumPy's own is imported and run; what it does is not known."""
    EXECUTES = 2
    """It runs commands or code, opens files or connections, or reaches for what does."""


# What a name means. Harmless ones are those that torch's `weights_only=True` accepts, NumPy's and joblib's own way of
# writing arrays, and plain values; each is named in full, since one function of a module says nothing of the next.
_PLAIN = {
    "builtins": "set frozenset bytearray bytes int float complex bool str list tuple dict object slice range NoneType",
    "collections": "OrderedDict Counter defaultdict deque",
    "_codecs": "encode",
    "copyreg": "_reconstructor",
    "datetime": "datetime date time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID",
    "pathlib": "Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath",
    "argparse": "Namespace",
    "types": "SimpleNamespace",
    "io": "BytesIO StringIO",
    "torch": (
        "Size device dtype Tensor finfo Generator Storage float double half short int long bool cfloat cdouble strided "
        "sparse_coo sparse_csr sparse_csc contiguous_format preserve_format channels_last channels_last_3d"
    ),
    "torch._utils": (
        "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_parameter_with_state "
        "_rebuild_qtensor _rebuild_sparse_tensor _rebuild_sparse_csr_tensor _rebuild_meta_tensor_no_storage "
        "_rebuild_nested_tensor _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor "
        "_rebuild_wrapper_subclass"
    ),
    "torch._tensor": "_rebuild_from_type_v2",
    "torch.nn.parameter": "Parameter UninitializedParameter Buffer",
    "torch.storage": "UntypedStorage TypedStorage _UntypedStorage _TypedStorage",
    "torch.serialization": "_get_layout",
    "torch.torch_version": "TorchVersion",
    "torch.distributed.tensor": "DTensor",
    "numpy": "ndarray dtype",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "numpy.ma.core": "_mareconstruct MaskedArray",
    "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "scipy.sparse._csr": "csr_matrix csr_array",
    "scipy.sparse._csc": "csc_matrix csc_array",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
}
_EXCEPTIONS = frozenset(
    name for name, made in vars(builtins).items() if isinstance(made, type) and issubclass(made, BaseException)
)
_HARMLESS = frozenset((module, name) for module, names in _PLAIN.items() for name in names.split())
_NUMPY_TYPES = re.compile(
    r"(bool_?|u?int(8|16|32|64)|float(16|32|64|128)|longdouble|complex(64|128)|str_|bytes_|datetime64|timedelta64|void)"
)
_TORCH_TYPES = re.compile(
    r"(b?float\d+(_e\d\w*)?|u?int\d+|q?u?int\d+(x\d)?|complex\d+|bits\w+|per_(channel|tensor)_(affine|symmetric)\w*|"
    r"((cuda|sparse|cuda\.sparse)\.)?[A-Z]\w{1,20}(Tensor|Storage))"
)
_NUMPY_DTYPES = re.compile(r"(\w+DType)")
_EXECUTING_WORDS = (
    "os posix nt ntpath posixpath subprocess sys socket shutil runpy webbrowser importlib _frozen_importlib "
    "_frozen_importlib_external pty commands popen2 ctypes _ctypes cffi code codeop timeit pip pdb bdb cProfile "
    "profile trace asyncio multiprocessing threading _thread marshal pickle _pickle cPickle cloudpickle dill http "
    "urllib urllib2 urllib3 requests httpx aiohttp httplib ftplib smtplib poplib imaplib telnetlib xmlrpc ssl tempfile "
    "signal site doctest unittest distutils setuptools pkg_resources pkgutil zipimport imp idlelib lib2to3 pydoc "
    "fileinput io linecache glob tarfile zipfile sqlite3 ensurepip venv gc inspect platform builtins __builtin__ "
    "operator _operator types nturl2path antigravity mmap fcntl resource faulthandler concurrent sched "
    "atexit weakref logging shelve dbm _posixsubprocess _socket _io winreg msvcrt _winapi shlex getpass crypt spwd "
    "pyexpat test bdist_wheel paramiko fabric fsspec IPython ipykernel nbconvert jupyter_client torch.hub torch.jit "
    "torch.load torch.utils torch._dynamo torch._inductor torch.fx torch.package torch.distributed "
    "torch.multiprocessing torch.serialization torch.storage torch.onnx torch.classes torch.ops torch.cuda numpy.load "
    "numpy.save numpy.fromfile numpy.genfromtxt numpy.loadtxt numpy.memmap numpy.testing numpy.f2py numpy.distutils "
    "numpy.lib.npyio numpy.core._internal numpy.ctypeslib joblib.load joblib.numpy_pickle.load joblib.externals "
    "pandas.read_pickle "
    "pandas.io pandas.eval pandas.core.computation keras.models tensorflow.io tensorflow.python.ops.io_ops "
    "tensorflow.py_function tensorflow.numpy_function"
)
_EXECUTING = frozenset(_EXECUTING_WORDS.split())


def danger_of(module: str, name: str) -> Danger:
    """What importing and calling a name may do.

    >>> danger_of("torch._utils", "_rebuild_tensor_v2"), danger_of("os", "system"), danger_of("models.yolo", "Model")
    (<Danger.HARMLESS: 0>, <Danger.EXECUTES: 2>, <Danger.UNKNOWN: 1>)

    Args:
        module: As the pickle names it; names of Python 2 are understood.
        name: The attribute, which may have dots.
    """
    module, name = _of_python_3(module, name)
    if (module, name) in _HARMLESS or module == "__torch__" or module.startswith("__torch__."):
        return Danger.HARMLESS
    if (module == "torch" or module.startswith("torch.")) and _TORCH_TYPES.fullmatch(f"{module}.{name}"[6:]):
        return Danger.HARMLESS
    if module == "numpy" and _NUMPY_TYPES.fullmatch(name):
        return Danger.HARMLESS
    if module == "numpy.dtypes" and _NUMPY_DTYPES.fullmatch(name):
        return Danger.HARMLESS
    if module == "builtins" and name in _EXCEPTIONS:
        return Danger.HARMLESS
    parts = f"{module}.{name}".split(".")
    if any(".".join(parts[:length]) in _EXECUTING for length in range(1, len(parts) + 1)):
        return Danger.EXECUTES
    # `f.__globals__`, `c.__init__`, …: attributes of attributes lead anywhere.
    return Danger.EXECUTES if any(part.startswith("__") for part in name.split(".")) else Danger.UNKNOWN


def _of_python_3(module: str, name: str) -> tuple[str, str]:
    if (module, name) in _compat_pickle.NAME_MAPPING:
        new: tuple[str, str] = _compat_pickle.NAME_MAPPING[module, name]
        return new
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name
