"""DG803 dataset-changed-without-new-version."""

from __future__ import annotations

from collections.abc import Iterator

from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import rule
from dataguard.versions.comparison import VersionComparison
from dataguard.versions.words import counted

_HINT = "set dataset.version, keep the data in DVC, or state a version in croissant.json"


@rule("DG803", "dataset-changed-without-new-version", Severity.ERROR)
def dataset_changed_without_new_version(compared: VersionComparison) -> Iterator[Outcome]:
    """The data are not what they were, and what names their version still says the same.

    ## What it does

    Holds what names the version against the content: `dataset.version` of the configuration, the hash in a `.dvc` file
    beside the dataset, and `version` in a `croissant.json` in or beside it. Where the content differs from the former
    version's and none of these names changed, that is a finding. So is a hash in a `.dvc` file or in Croissant metadata
    that the data beside it do not have.

    ## Why is this bad?

    A version's name is what results are filed under. Two datasets of one name make two numbers of one name, and nobody
    can tell later which model saw which data.

    ## How it decides

    The content is named by the root of a Merkle tree over (name, content, label, split) of each sample, by BLAKE3:
    there are no false alarms by chance. Of a `.dvc` file the MD5 is computed as DVC 3 computes it, of a file and of a
    folder (`….dir`); of Croissant's files the SHA-256 of those that lie beside it. Nothing is fetched. Where neither
    version has a name, the rule is skipped. A name that changed while the content did not is no fault and is said.

    ## Example

    >>> from dataguard.versions.made_up import made_up_comparison
    >>> compared = made_up_comparison(removed=2, version="1.0", now_version="1.0")
    >>> print(dataset_changed_without_new_version(compared)[0].message)
    The dataset changed (2 removed) and is still called 1.0 by the configuration.

    ## How to fix

    Give the new content a new name (`dataset.version`, `dvc add`, `version` in croissant.json) and write its snapshot;
    or fetch the content that the name stands for.

    ## References

    - Gebru et al., *Datasheets for Datasets*, CACM 2021 (maintenance: will older versions be kept, how are changes
      named).
    - [Croissant 1.0](https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html), versioning.
    - [DVC: .dvc files](https://dvc.org/doc/user-guide/project-structure/dvc-files).
    """
    old, new = compared.old.profile, compared.new.profile
    for item in compared.statements.broken:
        state = "is missing" if not item.found else f"has {item.found[:12]}…"
        yield dataset_changed_without_new_version.finding(
            f"{item.by} says that {item.of!r} has {item.algorithm} {item.stated[:12]}…, and it {state}.",
            remedy="Record the new content (`dvc add`, or the metadata's sha256), or fetch the one that is named.",
            confidence=Confidence.HIGH,
            measurements=(
                Measurement(
                    name=f"{item.algorithm} of {item.of!r}", value=item.found or "missing", threshold=item.stated
                ),
            ),
            locations=(Location(note=f"stated in {item.file}"),),
            key=(item.by, item.of),
        )
    before = {(item.by, item.file): item.version for item in old.stated}
    now = {(item.by, item.file): item.version for item in new.stated}
    measurements = (
        Measurement(name="version id", value=new.version_id, threshold=old.version_id),
        *(
            Measurement(name=f"version by {by}", value=name, threshold=before.get((by, file)))
            for (by, file), name in now.items()
        ),
    )
    if old.version_id == new.version_id:
        yield Observation(message="The content is that of the former version.", measurements=measurements)
        return
    both = sorted(before.keys() & now.keys())
    if not both:
        if not compared.statements.broken:
            yield Skipped(reason="no name is stated for both versions", hint=_HINT)
        return
    same = [(by, now[by, file]) for by, file in both if before[by, file] == now[by, file]]
    if len(same) < len(both):
        changed = [key for key in both if before[key] != now[key]]
        renamed = ", ".join(f"{before[key]} → {now[key]} by {key[0]}" for key in changed)
        yield Observation(message=f"The content changed, and so did its name: {renamed}.", measurements=measurements)
        return
    named = " and ".join(f"{name} by {'the configuration' if by == 'configuration' else by}" for by, name in same)
    yield dataset_changed_without_new_version.finding(
        f"The dataset changed ({counted(compared.changes)}) and is still called {named}.",
        remedy="Give the new content a new version, or fetch the one that the name stands for.",
        confidence=Confidence.HIGH,
        measurements=measurements,
        key=("name",),
    )
