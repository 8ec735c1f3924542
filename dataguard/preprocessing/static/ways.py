"""Scripts that are followed once more, with the other configurations that READMEs name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dataguard.preprocessing.static.library import commands
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.tree import Module


def others(machine: Machine, scripts: Sequence[Module]) -> Iterator[Module]:
    """Each script that a README's configuration was asked for, once for each further one, made ready to be followed."""
    for script in [one for one in scripts if one.path in machine.configured]:
        machine.root = script.path
        for way, setting in commands.ways(machine):
            machine.way, machine.setting = way, setting
            machine.tree.forget()
            machine.shared.clear()
            yield script
    machine.way, machine.setting = 0, ""
