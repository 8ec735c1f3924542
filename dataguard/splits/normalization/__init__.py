"""Normalization forensics: which data statistics were fitted on, and which statistics, from the numbers alone."""

from dataguard.splits.normalization.accumulate import SplitState
from dataguard.splits.normalization.assess import judge
from dataguard.splits.normalization.read import assess, gather
from dataguard.splits.normalization.verdict import Evidence, NormalizationVerdict, Worth

__all__ = ["Evidence", "NormalizationVerdict", "SplitState", "Worth", "assess", "gather", "judge"]
