"""Which distribution an import comes from, and what the well-known ones bring along.

The tables hold what model repositories import; a name that is in neither is taken for a distribution of the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from dataguard.environment.requirement import normalized

_DISTRIBUTIONS = """
Crypto pycryptodome pycrypto
Image pillow pil
Levenshtein levenshtein python-levenshtein
MeCab mecab-python3 mecab
MySQLdb mysqlclient
OpenEXR openexr
OpenGL pyopengl
OpenSSL pyopenssl
PIL pillow pillow-simd
PyQt5 pyqt5
PyQt6 pyqt6
absl absl-py
apex apex nvidia-apex
attr attrs
attrs attrs
av av pyav
bs4 beautifulsoup4 bs4
cairo pycairo
caffe caffe
caffe2 torch caffe2
clip clip openai-clip clip-anytorch git-clip
cog cog
community python-louvain
cupy cupy cupy-cuda101 cupy-cuda102 cupy-cuda110 cupy-cuda111 cupy-cuda11x cupy-cuda12x cupy-cuda13x
cv2 opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless opencv py-opencv
dateutil python-dateutil
decouple python-decouple
deepspeed deepspeed
docx python-docx
dotenv python-dotenv
editdistance editdistance
faiss faiss-cpu faiss-gpu faiss faiss-gpu-cu12
ffmpeg ffmpeg-python
fitz pymupdf
flash_attn flash-attn
functorch functorch torch
gi pygobject
git gitpython
google.protobuf protobuf
google.cloud.storage google-cloud-storage
google.colab google-colab
googleapiclient google-api-python-client
grpc grpcio
haiku dm-haiku
hydra hydra-core
ignite pytorch-ignite
imblearn imbalanced-learn imblearn
ipdb ipdb
ipywidgets ipywidgets
IPython ipython
jose python-jose
jwt pyjwt
keras keras tensorflow tensorflow-gpu tensorflow-cpu keras-nightly
keras_preprocessing keras-preprocessing
classification_models image-classifiers
kornia kornia
lightning lightning
lightning_fabric lightning lightning-fabric
magic python-magic
MinkowskiEngine minkowskiengine
mmcv mmcv mmcv-full mmcv-lite
mpl_toolkits matplotlib
msgpack msgpack
multipart python-multipart
nvidia.dali nvidia-dali nvidia-dali-cuda100 nvidia-dali-cuda102 nvidia-dali-cuda110 nvidia-dali-cuda120
nvidia_smi nvidia-ml-py3
onnxruntime onnxruntime onnxruntime-gpu onnxruntime-openvino onnxruntime-directml
open_clip open-clip-torch
osgeo gdal
past future
progressbar progressbar2 progressbar
pkg_resources setuptools
pl_bolts lightning-bolts pytorch-lightning-bolts
pptx python-pptx
psycopg2 psycopg2 psycopg2-binary
py_cpu_nms py-cpu-nms
pycocotools pycocotools pycocotools-windows mmpycocotools
pylab matplotlib
pynvml nvidia-ml-py pynvml nvidia-ml-py3
pytorch_lightning pytorch-lightning lightning
pywt pywavelets
rasterio rasterio
ruamel.yaml ruamel-yaml
ruamel_yaml ruamel-yaml
serial pyserial
setuptools setuptools
sentence_transformers sentence-transformers
skimage scikit-image
sklearn scikit-learn sklearn
skvideo sk-video
slugify python-slugify
smart_open smart-open
sonnet dm-sonnet
sacred sacred
spconv spconv spconv-cu113 spconv-cu114 spconv-cu116 spconv-cu117 spconv-cu118 spconv-cu120
taming taming-transformers
tensorboard tensorboard tb-nightly tensorflow tensorflow-gpu tensorflow-cpu
tensorboardX tensorboardx
tensorflow tensorflow tensorflow-gpu tensorflow-cpu tensorflow-macos tensorflow-intel tensorflow-rocm tf-nightly
tf_keras tf-keras
tflite_runtime tflite-runtime
torch torch pytorch
torchvision torchvision
tree dm-tree
turbojpeg pyturbojpeg
umap umap-learn
usb pyusb
visdom visdom
win32api pywin32
win32con pywin32
wx wxpython
Xlib python-xlib
yaml pyyaml
zmq pyzmq
"""
DISTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    words[0]: tuple(dict.fromkeys(normalized(word) for word in words[1:]))
    for words in (line.split() for line in _DISTRIBUTIONS.split("\n"))
    if words
}
"""Distributions that give an import, the usual one first; any of them will do."""

_BRINGS = r"""
accelerate numpy torch packaging psutil pyyaml huggingface-hub safetensors
albumentations numpy scipy opencv-python-headless pyyaml albucore pydantic
autogluon numpy pandas scipy scikit-learn torch matplotlib tqdm requests
basicsr torch torchvision numpy opencv-python pillow lmdb scikit-image scipy tqdm yapf requests pyyaml \
 tb-nightly addict future
clip torch torchvision ftfy regex tqdm packaging
cleanlab numpy scikit-learn pandas tqdm termcolor
datasets numpy pandas pyarrow requests tqdm fsspec huggingface-hub packaging pyyaml filelock
detectron2 pillow matplotlib pycocotools termcolor yacs tabulate cloudpickle tqdm tensorboard fvcore iopath \
 omegaconf hydra-core
diffusers numpy pillow requests regex filelock huggingface-hub safetensors
facexlib numpy opencv-python pillow scipy torch torchvision tqdm numba filterpy
fvcore numpy yacs pyyaml tqdm termcolor pillow tabulate iopath
gfpgan basicsr facexlib lmdb numpy opencv-python pyyaml scipy torch torchvision tqdm yapf tb-nightly
gradio numpy pandas pillow pyyaml requests fastapi pydantic matplotlib jinja2
huggingface-hub requests tqdm pyyaml filelock packaging fsspec typing-extensions
hydra-core omegaconf packaging
imageio numpy pillow
imbalanced-learn numpy scipy scikit-learn joblib threadpoolctl
imgaug numpy scipy pillow matplotlib scikit-image opencv-python imageio shapely six
jax numpy scipy jaxlib opt-einsum ml-dtypes
jaxlib numpy scipy ml-dtypes
flax numpy jax msgpack optax pyyaml rich
optax numpy jax absl-py
jupyter ipython ipywidgets notebook ipykernel
notebook ipython
keras numpy h5py
keras-retinanet keras keras-resnet six scipy cython pillow opencv-python progressbar2
keras-resnet keras
kornia torch packaging
librosa numpy scipy scikit-learn joblib soundfile numba
lightning torch numpy tqdm torchmetrics fsspec pyyaml packaging pytorch-lightning
matplotlib numpy pillow cycler kiwisolver pyparsing python-dateutil packaging contourpy fonttools
mmcv numpy opencv-python pillow pyyaml addict yapf packaging mmengine
mmdet numpy matplotlib pycocotools scipy six terminaltables shapely
mmengine numpy opencv-python matplotlib pyyaml addict yapf termcolor rich
monai numpy torch
mxnet numpy requests graphviz
nltk click joblib regex tqdm
numba numpy llvmlite
onnx numpy protobuf
onnxruntime numpy protobuf packaging
open-clip-torch torch torchvision regex ftfy tqdm huggingface-hub timm
opencv-contrib-python numpy
opencv-contrib-python-headless numpy
opencv-python numpy
opencv-python-headless numpy
pandas numpy python-dateutil pytz six
pycocotools numpy matplotlib cython
pytorch-lightning torch numpy tqdm torchmetrics fsspec pyyaml packaging tensorboard
requests urllib3 certifi idna
scikit-image numpy scipy pillow networkx imageio tifffile packaging
scikit-learn numpy scipy joblib threadpoolctl
scipy numpy
seaborn numpy pandas matplotlib
sentence-transformers torch transformers numpy scikit-learn scipy tqdm huggingface-hub
streamlit numpy pandas pillow protobuf requests
tensorboard numpy protobuf absl-py grpcio markdown werkzeug six setuptools
tensorboardx numpy protobuf packaging
tensorflow numpy keras h5py six absl-py protobuf tensorboard wrapt termcolor grpcio typing-extensions requests \
 setuptools
tensorflow-cpu numpy keras h5py six absl-py protobuf tensorboard wrapt termcolor grpcio typing-extensions \
 requests
tensorflow-gpu numpy keras h5py six absl-py protobuf tensorboard wrapt termcolor grpcio typing-extensions
tensorflow-macos numpy keras h5py six absl-py protobuf tensorboard wrapt termcolor grpcio typing-extensions
tensorflow-hub numpy protobuf
timm torch torchvision pyyaml huggingface-hub safetensors numpy
torch typing-extensions numpy sympy networkx jinja2 fsspec filelock
torchaudio torch
torchmetrics torch numpy packaging
torchtext torch numpy requests tqdm
torchvision torch numpy pillow
transformers numpy requests tqdm pyyaml regex filelock packaging huggingface-hub tokenizers safetensors
ultralytics torch torchvision numpy opencv-python pillow pyyaml requests scipy tqdm matplotlib pandas seaborn \
 psutil py-cpuinfo
visdom numpy scipy requests tornado pyzmq six pillow
wandb requests pyyaml protobuf click gitpython psutil sentry-sdk setuptools
xgboost numpy scipy
lightgbm numpy scipy scikit-learn
catboost numpy scipy pandas matplotlib graphviz six
"""
BRINGS: Mapping[str, tuple[str, ...]] = {
    words[0]: tuple(words[1:]) for words in (line.split() for line in _BRINGS.replace("\\\n", "").split("\n")) if words
}
"""What well-known distributions have required in most of their versions."""

CONDA_NAMES: Mapping[str, tuple[str, ...]] = {
    "pytorch": ("torch",),
    "pytorch-gpu": ("torch",),
    "pytorch-cpu": ("torch",),
    "opencv": ("opencv-python",),
    "py-opencv": ("opencv-python",),
    "pillow-simd": ("pillow",),
    "tensorflow-gpu": ("tensorflow",),
    "tensorflow-base": ("tensorflow",),
    "matplotlib-base": ("matplotlib",),
    "pytables": ("tables",),
    "dask-core": ("dask",),
    "python-graphviz": ("graphviz",),
    "py-xgboost": ("xgboost",),
    "pyqt": ("pyqt5",),
}
"""Names of conda packages whose distribution is called otherwise."""

_OLD_NAMES = """BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO Tkinter
UserDict
    __builtin__ _winreg anydbm asynchat asyncore binhex cPickle cStringIO cookielib copy_reg distutils dummy_thread
    formatter htmlentitydefs httplib imp macpath parser robotparser smtpd symbol thread tkFileDialog tkMessageBox ttk
    urllib2 urlparse xmlrpclib commands md5 sets sha exceptions itertools compiler new aifc audioop cgi cgitb chunk
    crypt
    imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib"""
_OLD_STANDARD = frozenset(_OLD_NAMES.split())
STANDARD_LIBRARY = frozenset(sys.stdlib_module_names) | _OLD_STANDARD
"""What comes with Python, of version 2 and of versions since among it."""


def distributions_of(module: str, installed: Mapping[str, Iterable[str]] | None = None) -> tuple[str, ...]:
    """Distributions that give a module, the most likely first; any of them will do.

    >>> distributions_of("cv2")[:2], distributions_of("google.protobuf.text_format"), distributions_of("einops")
    (('opencv-python', 'opencv-python-headless'), ('protobuf',), ('einops',))

    Args:
        module: The dotted name that is imported.
        installed: Distributions by the top-level module that they bring, as
            ``importlib.metadata.packages_distributions`` tells it.
    """
    parts = module.split(".")
    for length in range(min(3, len(parts)), 0, -1):
        known = DISTRIBUTIONS.get(".".join(parts[:length]))
        if known is not None:
            return known
    here = tuple(dict.fromkeys(normalized(name) for name in (installed or {}).get(parts[0], ())))
    if parts[0] in ("google", "azure", "zope", "nvidia") and len(parts) > 1:
        here = ()
        own = (normalized("-".join(parts[:3])), normalized("-".join(parts[:2])))
        return tuple(dict.fromkeys(own))
    same = normalized(parts[0].strip("_") or parts[0])
    return tuple(dict.fromkeys((*here, same)))


def brought_along(names: Iterable[str]) -> frozenset[str]:
    """What distributions bring along, as far as the table knows, in any number of steps.

    >>> sorted(brought_along(["torchvision"]) & {"pillow", "numpy", "torch", "scipy"})
    ['numpy', 'pillow', 'torch']
    """
    found: set[str] = set()
    pending = list(names)
    while pending:
        for name in BRINGS.get(pending.pop(), ()):
            if name not in found:
                found.add(name)
                pending.append(name)
    return frozenset(found)


def declared_names(names: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Distributions of requirements, given as pairs of ecosystem and name; those of conda under both of their names.

    >>> sorted(declared_names([("conda", "pytorch"), ("pypi", "numpy")]))
    ['numpy', 'pytorch', 'torch']
    """
    found: set[str] = set()
    for ecosystem, name in names:
        found.add(name)
        if ecosystem == "conda":
            found.update(CONDA_NAMES.get(name, ()))
    return frozenset(found)
