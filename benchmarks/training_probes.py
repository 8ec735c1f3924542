"""How often the rules about training (DG701 to DG722) are wrong, what they find, and what they cost.

    python benchmarks/training_probes.py sound               26 sound models × 5 seeds: every finding is a false alarm
    python benchmarks/training_probes.py planted             each rule's faults in each of them where they apply
    python benchmarks/training_probes.py published           the 59 synthetic faults of TheDeepChecker, redone
    python benchmarks/training_probes.py time                seconds on a small CNN, and how often rules run it

Every run goes through `dataguard.probe_training`, as a user's does. A line of JSON a run is added to ``--out``, and
what is there already is not run again; the tables are made of the whole file.

Measured with torch 2.13 on a processor (bars in brackets):

- 26 sound models × 5 seeds: no false alarm of 22 rules (0).
- Planted faults, detection (95 %), over 5 seeds: DG707 275 of 275, DG708 175 of 175, DG709 20 of 20, DG710 25 of 25,
  DG711 345 of 345, DG712 335 of 335, DG713 260 of 260, DG714 85 of 85, DG715 230 of 230, DG716 482 of 485 (the rest had
  nothing negative to take a logarithm of), DG717 340 of 345, DG718 260 of 260, DG719 145 of 145, DG720 200 of 200,
  DG721 359 of 360, DG722 55 of 55; over 1 seed: DG701 52 of 52, DG702 21 of 21, DG703 23 of 23, DG704 47 of 47,
  DG705 49 of 51, DG706 19 of 19. Where a layer is at fault, it is named in all of them but 10 of DG710's 25.
- TheDeepChecker's faults × 2 seeds, DG719 left out: 60 of 118 are found, of the 80 that keep these programs from
  learning (``--hindered``) 53; of 21 kinds 17. Nothing is found in the programs without a fault (0 of 6). DG719 wrongly
  blames the gradient where inputs are so small that every step crosses kinks (4 of 118). Not found are rates within
  DG713's wide band, too much dropout, a softmax in a hidden layer, and classes that are rare (no metric is given).
- TrainCheck's 18 scripted issues: the models and losses of 3 run here, and none of these is found: a loop without
  zero_grad and one under dynamo, since no probe sees the loop, and spectral norm before its first step (pytorch 51800).
  With a small network in place of the one that is downloaded, 2 more are: an optimizer that holds frozen parameters
  (forum 84911; DG701, DG706, DG711) and dropout of attention in eval mode (transformers 33844; DG720). The others need
  several GPUs or downloads, or are about serving and data.
- A small CNN, all rules: 6.1 s on two busy cores (30 s), 2.2 s of processor; the 12 rules that train nothing take 9
  passes forward and 3 back, as much as 5.0 passes forward and back (5).
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dataguard.core.errors import DataguardError
from dataguard.engine import probe_training
from dataguard.training import Training, opening
from dataguard.training.case import TrainingCase

sys.path.insert(0, str(Path(__file__).parent))

from training_faults import FAULTS, Fault, ready  # type: ignore[import-not-found]
from training_published import FAULTS as PUBLISHED  # type: ignore[import-not-found]
from training_published import PROGRAMS
from training_published.hindrance import EPOCHS, LOSS, held_out_score  # type: ignore[import-not-found]
from training_tables import (  # type: ignore[import-not-found]
    Run,
    keep,
    kept,
    of_report,
    planted_table,
    published_table,
    sound_table,
)
from training_zoo import SOUND, sound  # type: ignore[import-not-found]

UNTRAINED = (
    *("DG707", "DG708", "DG709", "DG710", "DG712", "DG714", "DG715"),
    *("DG717", "DG718", "DG720", "DG721", "DG722"),
)
"""Rules that look at single passes, and train nothing."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training to be probed."""

    model: str
    fault: str = ""
    rule: str = ""
    seed: int
    make: Callable[[], tuple[Training, str]]
    """Makes it, and says what a finding must name."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """See `Run.key`."""
        return (self.model, self.fault, self.rule, self.seed)

    def run(self, select: tuple[str, ...]) -> Run:
        """What the rules say of it."""
        training, place = self.make()
        clock = time.process_time()
        try:
            found, undecided = of_report(probe_training(training, seed=self.seed, select=select or None, budget=1e6))
        except DataguardError as error:
            found, undecided = (), (("", "refused", str(error)),)
        return Run(
            model=self.model,
            fault=self.fault,
            rule=self.rule,
            place=place,
            seed=self.seed,
            seconds=round(time.process_time() - clock, 2),
            found=found,
            open=undecided,
        )


def sound_jobs(seeds: int, models: list[str]) -> Iterator[Job]:
    """Every sound model."""
    for seed in range(seeds):
        for model in models or SOUND:
            yield Job(model=model, seed=seed, make=lambda m=model, s=seed: (sound(m, s), ""))  # type: ignore[misc]


def planted_jobs(seeds: int, models: list[str], faults: list[str], rules: tuple[str, ...]) -> Iterator[Job]:
    """Every fault in every model that it applies to."""

    def made(fault: Fault, model: str, seed: int) -> tuple[Training, str]:
        training = ready(sound(model, seed))
        place = fault.place(training)
        torch.manual_seed(seed)
        return fault.plant(training), place

    for seed in range(seeds):
        for fault in FAULTS:
            if (rules and fault.rule not in rules) or (faults and fault.name not in faults):
                continue
            for model in models or SOUND:
                if fault.applies(model):
                    make = lambda f=fault, m=model, s=seed: made(f, m, s)  # noqa: E731
                    yield Job(model=model, fault=fault.name, rule=fault.rule, seed=seed, make=make)


def published_jobs(seeds: int, models: list[str]) -> Iterator[Job]:
    """The programs without a fault, and with each of the catalogue's."""
    for seed in range(seeds):
        for program, make in PROGRAMS.items():
            if models and program not in models:
                continue
            yield Job(model=program, seed=seed, make=lambda m=make, s=seed: (m(s), ""))  # type: ignore[misc]
            for kind, plant in PUBLISHED[program].items():
                planted = lambda m=make, s=seed, p=plant: (p(m(s)), "")  # noqa: E731
                yield Job(model=program, fault=kind, seed=seed, make=planted)


def hindered() -> list[tuple[str, str]]:
    """Programs and faults of the catalogue that learn less for it, in two seeds; their scores are printed."""
    found = []
    for program, make in PROGRAMS.items():
        clean = 0.0
        for fault, plant in {"": lambda training: training, **PUBLISHED[program]}.items():
            scores = [held_out_score(plant(make(seed)), EPOCHS[program], seed) for seed in (0, 1)]
            score = sum(scores) / len(scores)
            clean = clean if fault else score
            print(f"{program} {fault or 'without a fault'}: {score:.2f}", flush=True)
            if score < clean - LOSS or score != score:
                found.append((program, fault))
    return found


def timed() -> str:
    """Seconds of the whole set on a small CNN, and how often the rules that train nothing run it."""
    cases: list[TrainingCase] = []
    original = opening.open_case

    def watched(*arguments: Any, **options: Any) -> TrainingCase:
        cases.append(original(*arguments, **options))
        return cases[-1]

    opening.open_case = watched
    try:
        clock, own = time.perf_counter(), time.process_time()
        report = probe_training(sound("cnn", 0))
        seconds, processor = time.perf_counter() - clock, time.process_time() - own
        probe_training(sound("cnn", 0), select=UNTRAINED)
    finally:
        opening.open_case = original
    slowest = sorted(report.runs, key=lambda run: -run.seconds)[:3]
    told = ", ".join(f"{run.code} {run.seconds:.1f} s" for run in slowest)
    whole, single = (case.counter for case in cases)
    # A pass back costs about two forward.
    passes = (single.forward + 2 * single.backward) / 3
    return (
        f"cnn, {len(report.runs)} rules: {seconds:.1f} s ({processor:.1f} s of processor; with what they need first: "
        f"{told}); {whole.forward} passes forward, {whole.backward} back\n"
        f"the {len(UNTRAINED)} rules that train nothing: {single.forward} forward, {single.backward} back, as much as "
        f"{passes:.1f} passes forward and back"
    )


def main() -> None:
    """Run what is asked for, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sound", "planted", "published", "time"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--faults", nargs="*", default=[])
    parser.add_argument("--select", nargs="*", default=[], help="codes of rules")
    parser.add_argument("--out", type=Path, default=None, help="a file of JSON lines")
    parser.add_argument("--hindered", action="store_true", help="train published programs, to see which faults matter")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    select = tuple(arguments.select)
    if arguments.what == "time":
        print(timed())
        return
    jobs = {
        "sound": lambda: sound_jobs(arguments.seeds, arguments.models),
        "planted": lambda: planted_jobs(arguments.seeds, arguments.models, arguments.faults, select),
        "published": lambda: published_jobs(arguments.seeds, arguments.models),
    }[arguments.what]()
    runs = {run.key: run for run in kept(arguments.out)}
    for job in jobs:
        if job.key not in runs:
            run = job.run((job.rule,) if job.rule else select)
            keep(arguments.out, run)
            runs[job.key] = run
            missed = f"  MISSED {run.open}" if job.fault and not run.is_found else ""
            print(f"{' '.join(map(str, job.key))}: {', '.join(sorted(run.codes)) or '-'} ({run.seconds} s){missed}")
            sys.stdout.flush()
    found = list(runs.values())
    if arguments.what == "published":
        print(published_table(found, hindered() if arguments.hindered else ()))
    else:
        print(sound_table(found) if arguments.what == "sound" else planted_table(found))


if __name__ == "__main__":
    main()
