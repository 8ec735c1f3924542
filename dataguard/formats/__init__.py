"""What people and machines read: each format renders a `Report` and nothing but it.

* `dataguard.formats.terminal` for the eyes, in a terminal or a CI log;
* `dataguard.formats.html` for a closer look, one file with pictures;
* `dataguard.formats.markdown` for pull requests, summaries of CI jobs and whatever shows Markdown;
* `dataguard.formats.sarif` for code hosts and editors, SARIF 2.1.0;
* `dataguard.formats.json` for programs, lossless, described by ``schemas/report.v1.schema.json``.
"""
