"""Scripts that are followed once more, with the other configurations that READMEs name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dataguard.preprocessing.static.library import commands
from dataguard.preprocessing.static.machine import Machine
from dataguard.preprocessing.static.tree import Module


@contextmanager
def others(machine: Machine, scripts: Sequence[Module]) -> Iterator[Iterator[Module]]:
    """Each script that a README's configuration was asked for, once for each further one, made ready to be followed.

    Afterwards modules are what they were before: what follows is of the first configuration.
    """
    before = [(module, module.state, module.names) for module in machine.tree.modules.values()]
    shared = dict(machine.shared)
    try:
        yield _each(machine, [one for one in scripts if one.path in machine.configured])
    finally:
        machine.way, machine.setting = 0, ""
        for module, state, names in before:
            module.state, module.names = state, names
        machine.shared.clear()
        machine.shared.update(shared)


def _each(machine: Machine, scripts: Sequence[Module]) -> Iterator[Module]:
    for script in scripts:
        machine.root = script.path
        for way, setting in commands.ways(machine):
            machine.way, machine.setting = way, setting
            machine.tree.forget()
            machine.shared.clear()
            yield script
