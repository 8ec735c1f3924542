"""DG801: files that are no samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from dataguard.core.exhibit import Listing
from dataguard.core.finding import Confidence, Location, Measurement, Observation, Outcome, Severity, Skipped
from dataguard.core.rule import Between, rule
from dataguard.dataset.table import SampleTable, fetch_rows

SHOWN = 100
"""Rows of the exhibit; the locations hold all."""


@rule("DG801", "unreadable-sample", Severity.ERROR)
def unreadable_sample(
    table: SampleTable, *, max_share: Annotated[float, Between(low=0, high=1)] = 0.0
) -> Iterator[Outcome]:
    """A file of the dataset cannot be read as the picture that it should be.

    ## What it does

    Names every file that could not be opened or decoded to its last pixel, with what is wrong with it: truncated,
    empty, no image at all, corrupt, gone, not permitted, or with more pixels than is safe to decode.

    ## Why is this bad?

    Loaders differ in what they do with such a file: one raises in the middle of an epoch, one skips it, one fills the
    missing half with gray and trains on that (OpenCV decodes a truncated JPEG without an error). The dataset is then
    not what its listing says, and two tools that read it do not agree on what it is.

    ## How it decides

    Every file is decoded whole. Its format is told from its first bytes and never from its name. JPEG and PNG must
    have their end marker, and where one is missing Pillow decides, which refuses truncated files. Every chunk of a PNG
    must have the checksum that it carries. A JPEG has none, but its decoder notices where bits no longer make sense,
    fills the rest with gray, and prints a line, which is caught here. Sizes are read from the header before any pixel
    is decoded, and a picture above `max-pixels` of the configuration (178,956,970: twice
    Pillow's MAX_IMAGE_PIXELS, where Pillow raises DecompressionBombError) is not decoded.

    There is nothing to estimate: a file can be read or it cannot. It fires where the share of unreadable files is
    above `max_share`.

    Options:

    - `max_share`: the share of unreadable files that passes. 0, because a file can be deleted or fetched again.

    Not seen: damage inside a JPEG's compressed data that still decodes to something.

    ## Example

    >>> table = SampleTable.from_rows([
    ...     {"sample_id": "train/cat/1.jpg", "path": "train/cat/1.jpg", "decode_error": "truncated"},
    ...     {"sample_id": "train/cat/2.jpg", "path": "train/cat/2.jpg"}])
    >>> finding, _ = unreadable_sample(table)
    >>> print(finding.message)
    1 of 2 files cannot be read.

    ## How to fix

    Fetch the files again, or take them out of the dataset and out of its listing. Where the files are good and merely
    very large, raise `max-pixels`.

    ## References

    - Pillow, "Decompression bombs": Image.MAX_IMAGE_PIXELS and DecompressionBombError.
    - ITU-T T.81 (JPEG), section B.1.1.3: the end-of-image marker. W3C, PNG, section 11.2.5: IEND.
    """
    import narwhals.stable.v2 as nw

    frame = table.frame.filter(~nw.col("path").is_null())
    n_files = int(fetch_rows(frame.select(nw.len()))[0][0])
    if not n_files:
        yield Skipped(reason="the samples are rows of a table and no files")
        return
    columns = ("sample_id", "path", "split", "label", "bytes", "decode_error")
    broken = sorted(fetch_rows(frame.filter(~nw.col("decode_error").is_null()).select(*columns)))
    share = len(broken) / n_files
    measurement = Measurement(
        name="share of files that cannot be read", value=share, threshold=max_share, n=n_files, unit="share"
    )
    if share > max_share:
        shown = broken[:SHOWN]
        yield unreadable_sample.finding(
            f"{len(broken):,} of {n_files:,} files cannot be read.",
            remedy="Fetch these files again, or take them out of the dataset.",
            confidence=Confidence.HIGH,
            measurements=(measurement,),
            locations=tuple(
                Location(path=path, sample_id=sample_id, split=split, label=label, note=error)
                for sample_id, path, split, label, _, error in broken
            ),
            exhibits=(
                Listing(
                    title="Files that cannot be read",
                    columns=("file", "bytes", "what is wrong"),
                    rows=tuple((sample_id, size, error) for sample_id, _, _, _, size, error in shown),
                    total=len(broken),
                ),
            ),
        )
    yield Observation(message=f"{len(broken):,} of {n_files:,} files cannot be read.", measurements=(measurement,))
