"""Experiments of Sacred: functions that decorators make configurations of, and what a script begins with."""

from __future__ import annotations

import ast

from dataguard.preprocessing.static.machine import Frame, Machine
from dataguard.preprocessing.static.values import ExtObj, Func, Map, Value


def decorated(machine: Machine, func: Func, experiment: ExtObj, name: str, node: ast.AST) -> None:
    """Sacred: what ``config`` decorates gives values by its own names; what ``automain`` decorates is begun."""
    if name == "config":
        machine.put(experiment.attrs, "*config", func)
    elif name == "automain" and machine.frame.module.main:
        config = experiment.attrs.get("*config")
        names: dict[str, Value] = {}
        if isinstance(config, Func) and not isinstance(config.node, ast.Lambda):
            machine.frames.append(Frame(names=names, module=config.module, func=config, outer=config.scope))
            try:
                machine.run(config.node.body)
            finally:
                machine.frames.pop()
        wanted = {one.arg for one in (*func.node.args.args, *func.node.args.kwonlyargs)}
        given: dict[str, Value] = {"_config": Map(dict(names), open=True), **names}
        machine.call(func, [], {key: value for key, value in given.items() if key in wanted}, node)
