"""Write what is generated from the code: the rules' pages in docs/rules/, and the JSON Schemas in schemas/.

`--check` writes nothing and fails where a file is not what it would write.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from dataguard.config.schema import CONFIG_SCHEMA, config_schema
from dataguard.formats.json import layout
from dataguard.formats.schema import record_schema, report_schema
from dataguard.preprocessing.document import SCHEMA_VERSION, STEP_KINDS, PipelineDocument
from dataguard.reproduction.lock import SCHEMA_VERSION as LOCK_VERSION
from dataguard.reproduction.lock import Lock
from dataguard.rules import built_in_rules
from dataguard.rules.pages import index, page
from dataguard.versions.profile import SCHEMA_VERSION as PROFILE_VERSION
from dataguard.versions.profile import Profile

RULES = Path(__file__).resolve().parent / "rules"
SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "report.v1.schema.json"
RECORDS: dict[str, tuple[type, str, tuple[str, Mapping[str, type]] | None]] = {
    f"pipeline.v{SCHEMA_VERSION}": (PipelineDocument, "Preprocessing path of dataguard", ("step", STEP_KINDS)),
    f"lock.v{LOCK_VERSION}": (Lock, "Locked result of dataguard", ("step", STEP_KINDS)),
    f"profile.v{PROFILE_VERSION}": (Profile, "Profile of a dataset version by dataguard", None),
}
"""Record, title and kinds of each schema beside the report's, by its name and version."""


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    files = {RULES / f"{rule.code}.md": page(rule) for rule in built_in_rules()}
    files[RULES / "README.md"] = index(built_in_rules())
    files[SCHEMA] = report_schema()
    files |= {SCHEMA.with_name(f"{name}.schema.json"): _whole(name, *what) for name, what in RECORDS.items()}
    files[SCHEMA.with_name(CONFIG_SCHEMA)] = layout(config_schema(built_in_rules())) + "\n"
    return files


def _whole(name: str, record: type, title: str, kinds: tuple[str, Mapping[str, type]] | None) -> str:
    """The text of ``schemas/NAME.schema.json``."""
    given = {} if kinds is None else {"kinds": kinds}
    identifier = f"urn:dataguard:{name.replace('.', ':')}"
    return record_schema(record, identifier=identifier, title=title, whole=True, **given)


def differences() -> list[Path]:
    """The files that are missing, not up to date or of a rule that is no more."""
    wanted = generated()
    stale = [path for path in RULES.glob("*.md") if path not in wanted]
    return sorted(stale + [path for path, text in wanted.items() if not path.is_file() or _read(path) != text])


def write() -> None:
    """Write every generated file and remove those of rules that are no more."""
    wanted = generated()
    RULES.mkdir(parents=True, exist_ok=True)
    for path in RULES.glob("*.md"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        if not path.is_file() or _read(path) != text:
            path.write_text(text, encoding="utf-8", newline="\n")


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where something would change")
    if not parser.parse_args().check:
        write()
        return 0
    for path in (changed := differences()):
        sys.stderr.write(f"not up to date: {path}; run `make docs`\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
