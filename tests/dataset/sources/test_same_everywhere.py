"""The law: the same data through every source gives the same findings and the same version, bit for bit."""

from __future__ import annotations

import dataclasses
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dataguard import check
from dataguard.config import Config, DatasetConfig
from dataguard.core.report import Report
from dataguard.dataset.scan import scan
from dataguard.engine import resolve_config
from dataguard.inputs import open_source
from dataguard.rules import all_rules
from tests.dataset.sources.same_data import WAYS, planted
