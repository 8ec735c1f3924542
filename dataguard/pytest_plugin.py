"""Data as tests: a fixture that checks a dataset, and ``pytest --dataguard=dataguard.toml``, a test for each rule.

pytest loads this module in every session of an environment that dataguard is installed in. So it imports nothing but
pytest, and does nothing where neither the fixture nor the option is used.

    def test_data(dataguard):
        dataguard.check("data")

    def test_training(dataguard):
        dataguard.probe_training(make)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dataguard.config import Config
    from dataguard.core.finding import Severity
    from dataguard.core.report import Report, RuleRun

__all__: list[str] = []

_OPTION = "dataguard"
_REPORT: pytest.StashKey[dict[Path, Report]] = pytest.StashKey()


class RuleFailedError(Exception):
    """A rule's test does not pass; the text is what the report says of the rule."""


class Dataguard:
    """What the fixture ``dataguard`` gives.

    Args:
        root: The folder that relative paths are relative to: pytest's root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(
        self, path: str | Path | None = None, *, fail_on: str | None = None, strict: bool | None = None, **options: Any
    ) -> Report:
        """Check a dataset as ``dataguard.check`` does, and fail the test with what was found.

        Args:
            path: The dataset, or a ``dataguard.toml``, relative to pytest's root; by default that root.
            fail_on: The least severity that fails: 'info', 'warning' or 'error'; by default the configuration's.
            strict: Whether a rule without a conclusion fails; by default the configuration's.
            **options: Those of ``dataguard.check``.

        Returns:
            The report, where it fails nothing.
        """
        __tracebackhide__ = True
        from dataguard.engine import check

        named = None if path is None and options.get("loader") is not None else self._root / (path or ".")
        return _held(lambda: check(named, **options), fail_on, strict)

    def probe_training(
        self, target: Any = None, *, fail_on: str | None = None, strict: bool | None = None, **options: Any
    ) -> Report:
        """Probe a model and its loss as ``dataguard.probe_training`` does, and fail the test with what was found.

        Args:
            target: What ``dataguard.probe_training`` takes: a function that returns (model, loss, loader), for one.
            fail_on: The least severity that fails: 'info', 'warning' or 'error'; by default the configuration's.
            strict: Whether a rule without a conclusion fails; by default the configuration's.
            **options: Those of ``dataguard.probe_training``.

        Returns:
            The report, where it fails nothing.
        """
        __tracebackhide__ = True
        from dataguard.engine import probe_training

        return _held(lambda: probe_training(target, **{"base": self._root, **options}), fail_on, strict)


def _held(run: Callable[[], Report], fail_on: str | None, strict: bool | None) -> Report:
    """A report that fails nothing; the test fails where it does, or where there is none."""
    __tracebackhide__ = True
    from dataguard.config import severity_named
    from dataguard.core.errors import DataguardError

    report, refused = None, ""
    try:
        least = None if fail_on is None else severity_named(fail_on, where="fail_on")
        report = run()
    except DataguardError as error:
        refused = _shown(f"dataguard: {error}")
    if report is None:
        # Outside of the handler: pytest would print what was raised before as it is.
        pytest.fail(refused, pytrace=False)
    severity, is_strict = _gate(report)
    severity, is_strict = severity if least is None else least, is_strict if strict is None else strict
    if report.exit_code(fail_on=severity, strict=is_strict):
        pytest.fail(_text(report, severity, strict=is_strict), pytrace=False)
    return report


@pytest.fixture(scope="session")
def dataguard(request: pytest.FixtureRequest) -> Dataguard:
    """Checks datasets and models: ``dataguard.check("data")`` fails the test with what was found."""
    return Dataguard(request.config.rootpath)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("dataguard").addoption(
        "--dataguard",
        dest=_OPTION,
        metavar="FILE",
        action="append",
        default=[],
        help="add a test for each rule that this dataguard.toml runs; may be given several times",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the configurations that the option names, as if they were arguments."""
    for path in _named(config):
        if not path.is_file():
            raise pytest.UsageError(f"--dataguard: no such file: {path}")
        # A worker of pytest-xdist is given the arguments of its master.
        if str(path) not in config.args:
            config.args.append(str(path))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a configuration that the option names."""
    if file_path in _named(parent.config):
        collector: pytest.Collector = ConfigurationFile.from_parent(parent, path=file_path)
        return collector
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was collected twice: a configuration within the folders that are tested, and named."""
    if not config.getoption(_OPTION):
        return
    seen: set[str] = set()
    kept = []
    for item in items:
        if not isinstance(item, RuleItem) or item.nodeid not in seen:
            kept.append(item)
            seen.add(item.nodeid)
    items[:] = kept


class ConfigurationFile(pytest.File):
    """A ``dataguard.toml``, with a test for each rule."""

    def collect(self) -> Iterable[RuleItem]:
        """The tests, by code."""
        from dataguard.core.errors import DataguardError
        from dataguard.engine.planning import planned

        try:
            found = [(rule.code, rule.name) for rule in planned(self.settings())]
        except DataguardError as error:
            raise self.CollectError(_shown(f"dataguard: {error}")) from error
        for code, name in found:
            yield RuleItem.from_parent(self, name=f"{code}-{name}", code=code)

    def settings(self) -> Config:
        """The configuration."""
        from dataguard.engine import resolve_config
        from dataguard.rules import all_rules

        return resolve_config(None, str(self.path), all_rules())


class RuleItem(pytest.Item):
    """One rule of one configuration. All of them share one run, of the rules that the session has tests for."""

    def __init__(self, *, code: str, **others: Any) -> None:
        super().__init__(**others)
        self.code = code
        if self.config.pluginmanager.hasplugin("xdist"):
            # With --dist loadgroup, one worker has the whole run.
            self.add_marker(pytest.mark.xdist_group(f"dataguard:{self.path}"))

    def runtest(self) -> None:
        """Pass, fail or skip as the rule did."""
        report = self._report()
        fail_on, strict = _gate(report)
        runs = [run for run in report.runs if run.code == self.code]
        if not runs:
            pytest.skip("it had nothing to look at")
        for run in runs:
            _judge(report, run, fail_on, strict=strict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the report says of the rule; no traceback, which would be dataguard's own."""
        if isinstance(excinfo.value, RuleFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The configuration, and the rule."""
        return self.path, None, f"dataguard: {self.name}"

    def _report(self) -> Report:
        from dataguard.core.errors import DataguardError
        from dataguard.engine import check

        reports = self.session.stash.setdefault(_REPORT, {})
        if self.path not in reports:
            codes = list(self._codes())
            every = (
                {item.code for item in self.parent.collect()} if isinstance(self.parent, ConfigurationFile) else set()
            )
            try:
                reports[self.path] = check(config=self.path, select=None if set(codes) == every else codes)
            except DataguardError as error:
                raise RuleFailedError(_shown(f"dataguard: {error}")) from error
        return reports[self.path]

    def _codes(self) -> Iterator[str]:
        """The rules of this configuration that the session runs, after -k and --deselect."""
        for item in self.session.items:
            if isinstance(item, RuleItem) and item.path == self.path:
                yield item.code


def _judge(report: Report, run: RuleRun, fail_on: Severity, *, strict: bool) -> None:
    import dataclasses

    from dataguard.core.report import Status

    failed = run.status in (Status.CRASHED, Status.NOT_RUN) or any(item.severity >= fail_on for item in run.findings)
    unsettled = run.status in (Status.SKIPPED, Status.INCONCLUSIVE)
    if failed or (strict and unsettled):
        alone = dataclasses.replace(report, runs=(run,), overview=(), notes=())
        raise RuleFailedError(_text(alone, fail_on, strict=strict))
    if unsettled or run.status is Status.IGNORED:
        reasons = [run.reason, *(item.reason for item in run.inconclusive)]
        pytest.skip(_shown(f"{run.status.value}: {'; '.join(filter(None, reasons)) or 'no reason given'}"))


def _gate(report: Report) -> tuple[Severity, bool]:
    """The least severity that fails, and whether a rule without a conclusion does, as the configuration says."""
    from dataguard.config import severity_named

    settings = report.configuration
    return severity_named(str(settings.get("fail_on", "error")), where="fail-on"), settings.get("strict") is True


def _text(report: Report, fail_on: Severity, *, strict: bool) -> str:
    from dataguard.formats import terminal

    return _shown(terminal.render(report, width=100, fail_on=fail_on, strict=strict))


def _shown(text: str) -> str:
    """The text, with nothing in it that a job of GitHub Actions would run."""
    from dataguard.core.workflow_commands import in_github_log, inert

    return inert(text) if in_github_log() else text


def _named(config: pytest.Config) -> list[Path]:
    # As pytest does with its arguments: `resolve` would follow links, and the paths differ.
    return [Path(os.path.abspath(config.invocation_params.dir / name)) for name in config.getoption(_OPTION)]  # noqa: PTH100
