"""``dataguard snapshot``: keep a dataset version."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dataguard.core.errors import ConfigurationError

_DESCRIPTION = """\
Write a dataset version's manifest (who is in it: a hash a sample, at most 40
bytes each) and profile (counts, moments and histograms of every split) into a
folder that is small enough for a repository:

  dataguard snapshot data/pets                  writes data/pets.snapshot
  dataguard check data/pets --against data/pets.snapshot
  dataguard diff data/pets.snapshot data/pets
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "snapshot",
        help="keep a dataset version, to hold later ones against",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", nargs="?", metavar="PATH", help="the dataset (default: what the configuration names)")
    parser.add_argument(
        "-o", "--output", metavar="FOLDER", help="where to write it (default: PATH.snapshot, beside the dataset)"
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest dataguard.toml)")
    parser.add_argument(
        "--version-name", metavar="NAME", help="what the version is called, as 1.2.0 (default: dataset.version)"
    )
    parser.add_argument("--croissant", metavar="FILE", help="write Croissant 1.0 metadata (JSON-LD) to this file, too")
    parser.add_argument("--jobs", metavar="N", type=int, help="threads (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was computed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from dataguard.cli.progress_bar import progress_bar
    from dataguard.core.paths import encode_path
    from dataguard.core.text import printable
    from dataguard.engine import snapshot

    if arguments.jobs is not None and arguments.jobs < 1:
        raise ConfigurationError(f"expected at least 1, got {arguments.jobs}", where="--jobs")
    with progress_bar(sys.stderr) as progress:
        kept = snapshot(
            arguments.path,
            arguments.output,
            config=arguments.config,
            version=arguments.version_name,
            croissant=arguments.croissant,
            jobs=arguments.jobs,
            cache=not arguments.no_cache,
            progress=progress,
        )
    profile = kept.profile
    print(printable(encode_path(str(kept.folder))))
    print(f"  version   {profile.version_id}")
    for item in profile.stated:
        print(printable(f"  stated    {item.version} (by {item.file or 'the configuration'})"))
    print(f"  samples   {profile.n_samples:,}")
    for split in profile.splits:
        print(printable(f"    {split.name or '(no split)'}: {split.n_samples:,}"))
    print(f"  manifest  {kept.n_bytes:,} bytes, {kept.n_bytes / max(1, profile.n_samples):.1f} a sample")
    if kept.croissant is not None:
        print(printable(f"  croissant {encode_path(str(kept.croissant))}"))
    return 0
