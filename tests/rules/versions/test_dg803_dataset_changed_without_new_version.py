"""DG803, called directly."""

from __future__ import annotations

import pytest

from dataguard.core.finding import Finding, Observation, Severity, Skipped
from dataguard.rules.versions.dg803_dataset_changed_without_new_version import dataset_changed_without_new_version
from dataguard.versions.made_up import made_up_comparison
from dataguard.versions.stated import StatedHash, Statements


def stated_hash(found: str) -> Statements:
    item = StatedHash(by="dvc", file="/data/pets.dvc", of="pets", algorithm="md5", stated="ab" * 16, found=found)
    return Statements(hashes=(item,))


def test_fires_where_the_content_changed_and_the_name_did_not() -> None:
    (finding,) = dataset_changed_without_new_version(
        made_up_comparison(removed=1, added=2, version="1.0", now_version="1.0")
    )
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.ERROR
    assert finding.message == "The dataset changed (1 removed, 2 added) and is still called 1.0 by the configuration."


@pytest.mark.parametrize(("found", "said"), [("cd" * 16, "it has cdcdcdcdcdcd…"), ("", "it is missing")])
def test_fires_where_data_do_not_have_the_hash_that_is_stated(found: str, said: str) -> None:
    first, *_ = dataset_changed_without_new_version(
        made_up_comparison(version="1", now_version="2", statements=stated_hash(found))
    )
    assert isinstance(first, Finding)
    assert said in first.message
    assert first.key == ("dvc", "pets")


def test_silent_where_both_changed_and_where_nothing_did() -> None:
    (renamed,) = dataset_changed_without_new_version(made_up_comparison(removed=1, version="1", now_version="2"))
    assert isinstance(renamed, Observation)
    assert "1 → 2 by configuration" in renamed.message
    (same,) = dataset_changed_without_new_version(
        made_up_comparison(version="1", now_version="1", statements=stated_hash("ab" * 16))
    )
    assert isinstance(same, Observation)


def test_edge_no_name_is_no_pass() -> None:
    for before, now in ((None, None), ("1", None), (None, "1")):
        (outcome,) = dataset_changed_without_new_version(made_up_comparison(removed=1, version=before, now_version=now))
        assert isinstance(outcome, Skipped)
