"""What was found, as paths and facts, each once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dataguard.core.syntax import statements
from dataguard.preprocessing.pipeline import Pipeline
from dataguard.preprocessing.static import canonical, facts, inputs, roles, versions
from dataguard.preprocessing.static.interpreter import Interpreter
from dataguard.preprocessing.static.machine import Sink
from dataguard.preprocessing.static.picture import State, losing
from dataguard.preprocessing.static.reading import CodeFact, FoundPath
from dataguard.preprocessing.static.tree import Tree
from dataguard.preprocessing.static.values import Choice, Obj, Picture, Unknown, Value
from dataguard.preprocessing.steps import Flip, Random


@dataclass(slots=True)
class Found:
    """A picture that arrived, in the states that it may be in."""

    sink: Sink
    states: list[Any]
    why: str
    reachable: bool
    networks: tuple[str, ...] = ()
    """What names the networks that it was given to."""


class Findings:
    """Turns pictures that arrived somewhere into paths and facts."""

    tree: Tree
    machine: Interpreter
    raw: dict[str, bytes]
    pins: dict[str, tuple[str, str]]
    gradients: dict[ast.AST, bool]
    functions: dict[str, dict[tuple[str, int], ast.AST]]

    def states_of(self, value: Value) -> tuple[list[Any], str]:
        """The states that a picture may be in, and what that depends on."""
        if isinstance(value, Picture):
            return [value.state], ""
        if isinstance(value, Choice):
            states = [one.state for one in value.options if isinstance(one, Picture)]
            # What is read of a picture's file, where arrays could be given as well.
            opened = [one for one in states if one.decode.library is not None]
            return opened or states, value.why
        return [], ""

    def paths_of(self, found: list[Found]) -> Iterator[tuple[Found, FoundPath]]:
        """Paths without repetitions: of a data set the one that goes furthest, and every pipeline of a role once."""
        by_identity: dict[str, Found] = {}
        by_first: dict[str, list[Any]] = {}
        extended: dict[str, bool] = {}
        fitted: dict[str, tuple[str, ...]] = {}
        modes: dict[str, set[str]] = {}
        for one in found:
            identity = one.sink.identity
            if one.sink.kind == "model" and "#" in identity:
                modes.setdefault(identity, set()).add(self._mode(one.sink))
            if "#" in identity:
                kept = by_identity.get(identity)
                if kept is not None:
                    if one.sink.kind == "dataset" and one.sink.hints[:1] in (("train",), ("val",)):
                        fitted.setdefault(identity, one.sink.hints[:1])
                    known = tuple(dict.fromkeys((*kept.networks, *one.sink.network)))
                    kept = by_identity[identity] = replace(kept, networks=known)
                    first = by_first.setdefault(identity, kept.states)
                    better = identity not in extended or (
                        not extended[identity] and _continues(one.states, first) and not _knows_less(one.states, kept)
                    )
                    fed = one.sink.kind == "model"
                    if (fed or _goes_further(one.states, kept.states)) and kept.sink.kind == "dataset" and better:
                        by_identity[identity] = replace(kept, states=one.states, why=one.why)
                        usual = not one.sink.explored and not _undoes(one.states, first)
                        extended[identity] = _continues(one.states, first) and usual
                    elif not fed and _continues(one.states, first):
                        # It is handed to what trains as it left the data set.
                        extended.setdefault(identity, True)
                    continue
                by_identity[identity] = replace(one, networks=one.sink.network)
        seen: dict[tuple[str, str, tuple[str, ...]], list[Pipeline]] = {}
        for one in found:
            if "#" in one.sink.identity and by_identity[one.sink.identity].sink is not one.sink:
                continue
            last = by_identity.get(one.sink.identity, one)
            if one.sink.identity in fitted:
                # As what it is given to ``fit`` tells what it is for, where its own name does not.
                hints = (*last.sink.hints, *fitted[one.sink.identity])
                last = replace(last, sink=replace(last.sink, hints=hints))
            unended = last.sink.kind == "dataset" and last.sink.identity not in extended and not last.sink.whole
            if last.sink.kind == "last":
                last = replace(last, states=[_unended(state) for state in last.states])
            elif last.sink.kind == "return":
                last = replace(last, states=[_returned(state) for state in last.states])
            elif unended:
                last = replace(last, states=[_unfollowed(state, self.torch_alone) for state in last.states])
            path = self._path(last, modes.get(last.sink.identity, set()))
            loads = tuple(sorted({state.loaded for state in last.states}))
            pipeline = path.pipeline
            if path.role != "train" and pipeline.geometry is not None:
                # A picture that is fed mirrored as well, to test with more views, is one path with the one that is not.
                kept_steps = tuple(step for step in pipeline.geometry if not isinstance(step, Flip))
                pipeline = replace(pipeline, geometry=kept_steps)
            alike = seen.setdefault((last.sink.root, path.role, loads), [])
            if pipeline in alike:
                continue
            alike.append(pipeline)
            yield last, path

    def _path(self, found: Found, modes: set[str]) -> FoundPath:
        sink = found.sink
        role = self._role(sink, modes)
        if sink.kind == "return" and role in ("serve", "eval") and _by_chance(found.states):
            # What is only made, and has steps that chance decides, is made for training.
            role = "train"
        name = roles.called(sink) + (f" ({sink.setting})" if sink.setting else "")
        pipeline = canonical.common([canonical.pipeline_of(state, name) for state in found.states], found.why)
        if role != "offline":
            pipeline = inputs.as_taken(pipeline, found.states, torch_alone=self.torch_alone, ended=sink.kind != "last")
        entry = self._entry(sink)
        state = found.states[0]
        return FoundPath(
            role=role,  # type: ignore[arg-type]
            name=name,
            entry=entry,
            pipeline=replace(pipeline, name=name),
            target=state.target,
            reachable=found.reachable,
            evidence=state.places,
            fed=sink.kind == "model",
            ended=sink.kind != "last",
            networks=found.networks or sink.network,
            setting=sink.setting,
        )

    @cached_property
    def torch_alone(self) -> bool:
        """Whether all code is for torch."""
        return inputs.of_torch_alone(self.raw.values())

    def _role(self, sink: Sink, modes: set[str]) -> str:
        text = self.raw.get(sink.stack[0][1], b"") if sink.stack else b""
        trains = sink.kind == "model" and self._mode(sink) == "train"
        trains = trains and roles.learns(text, self.raw.get(sink.place.rpartition(":")[0], b""))
        return roles.role_of(sink, trains, text, "".join(modes) if len(modes) == 1 else "")

    def _mode(self, sink: Sink) -> str:
        """How a model is fed: 'train' where gradients are computed, 'val' where it was told to evaluate, or ''."""
        if sink.stack and self._trains(sink.stack[-1]):
            return "train"
        return "val" if sink.training is False else ""

    def _trains(self, frame: tuple[str, str, int]) -> bool:
        name, path, line = frame
        module = self.tree.modules.get(path)
        if module is None or module.source is None:
            return False
        node: ast.AST = module.source.tree
        if name:
            if path not in self.functions:
                found = [one for one in statements(node) if isinstance(one, ast.FunctionDef)]
                # Of two in one place the outer one counts.
                self.functions[path] = {(one.name, module.line(one.lineno)): one for one in reversed(found)}
            node = self.functions[path].get((name.rpartition(".")[2], line), node)
        if node not in self.gradients:
            self.gradients[node] = roles.computes_gradients(node)
        return self.gradients[node]

    def _entry(self, sink: Sink) -> str:
        if sink.kind == "dataset":
            return sink.place
        for _, path, line in sink.stack:
            if line:
                return f"{path}:{line}"
        return sink.place

    def offline(self) -> list[Found]:
        """Pictures that a script for preparing data writes."""
        found: list[Found] = []
        for value, place, stack, _ in self.machine.written:
            if stack and roles.is_offline(stack[0][1]):
                sink = Sink("file", value, place, stack, (), None, place, stack[0][1])
                found.append(Found(sink, *self.states_of(value), True))
        return found

    def facts_of(self, found: list[tuple[Found, FoundPath]]) -> list[CodeFact]:
        """What is wrong, once a place."""
        notes = [
            CodeFact(kind=kind, file=file, line=line, end_line=end, message=message, detail=detail)  # type: ignore[arg-type]
            for kind, file, line, end, message, detail in self.machine.notes
        ]
        notes = _on_paths(notes, found)
        for one, path in found:
            for state in one.states if path.ended else ():
                notes += facts.of_state(state, path.role)
                missing = facts.missing_eval(one.sink, state, path.role, not self._asks_eval(one))
                notes += [missing] if missing is not None else []
        for value, place, stack, loses in self.machine.written:
            if loses and stack and roles.is_offline(stack[0][1]):
                notes.append(facts.lossy(value.state, place))
        notes += facts.removed_apis(
            ((self.tree.modules[path], data) for path, data in self.raw.items()), versions.known(self.pins, None)
        )
        kept: dict[tuple[str, str, int], CodeFact] = {}
        for fact in notes:
            kept.setdefault((fact.kind, fact.file, fact.line), fact)
        return sorted(kept.values(), key=lambda fact: (fact.file, fact.line, fact.kind))

    def _asks_eval(self, found: Found) -> bool:
        """Whether a path feeds a model that behaves otherwise in training, in a script that never calls eval()."""
        root, model = found.sink.root, found.sink.model
        data = self.raw.get(root, b"")
        if (
            not found.reachable
            or self.machine.evaluating.intersection([root, *(path for _, path, _ in found.sink.stack)])
            or any(word in data for word in (b".eval(", b"jit.load", b".train(False"))
        ):
            return False
        if isinstance(model, Obj) and model.cls is not None:
            source = self.raw.get(model.cls.module.path, b"")
            return (b"BatchNorm" in source or b"Dropout" in source) and b".eval(" not in source
        return isinstance(model, Unknown) and model.why.startswith(
            ("what torchvision.models.", "what timm.", "what segmentation_models")
        )


def _on_paths(notes: list[CodeFact], found: list[tuple[Found, FoundPath]]) -> list[CodeFact]:
    """Notes without those of what is done to pictures that are only shown, or to what is no network's input."""
    if not any(one.kind == "misplaced-interpolation" for one in notes):
        return notes
    ended = [state for one, path in found if path.ended for state in one.states]
    places = frozenset(place for state in ended for place in state.places)
    return [one for one in notes if one.kind != "misplaced-interpolation" or f"{one.file}:{one.line}" in places]


def _by_chance(states: list[Any]) -> bool:
    return any(isinstance(step, Random) for state in states for step in state.steps)


def _unfollowed(state: State, for_torch: bool) -> State:
    """What leaves a data set and was not seen to reach a model, which may be fed it in another form.

    Channels that are last come first before one of torch's takes them.
    """
    why = "whole levels leave the data set, and what becomes of them was not followed"
    if for_torch and state.layout[-1:] == "C":
        state = losing(state, "", why.replace("whole levels leave", "channels are last that leave"), "layout")
    if state.touched or (state.is_float and state.kind == "tensor"):
        return state
    return losing(state, "", why, "affine", "dtype")


def _returned(state: State) -> State:
    """What a function returns that nobody was seen to call: no network takes numbers of 64 bits as they are."""
    if state.kind != "array" or state.dtype != "float64":
        return state
    return losing(
        state, "", "numbers of 64 bits are returned, and who makes a network's input of them is not seen", "dtype"
    )


def _unended(state: State) -> State:
    """What was last seen of a picture on its way: an array becomes a network's input in ways of its own."""
    if state.kind in ("tensor", "tf") and state.layout[:1] in ("N", "C") and state.touched:
        return state
    names = ["dtype"] if state.kind not in ("tensor", "tf") else []
    names += [] if state.touched else ["affine", "dtype"]
    names += [] if state.layout[:1] in ("N", "C") else ["layout"]
    why = (
        f"where it was last seen, {state.places[-1] if state.places else 'in this script'}, nothing shows what follows"
    )
    return losing(state, "", why, *dict.fromkeys(names)) if names else state


def _goes_further(after: list[Any], before: list[Any]) -> bool:
    """Whether more was done to what left a data set before it was handed on."""
    return _continues(after, before) and len(after[0].places) > len(before[0].places)


def _knows_less(after: list[Any], kept: Found) -> bool:
    """Whether less is known of a picture than of the one that a network was fed before it: what it gave, mostly."""
    return min(len(one.lost) for one in after) > min(len(one.lost) for one in kept.states)


def _continues(after: list[Any], before: list[Any]) -> bool:
    """Whether states are what became of others, and not of another picture of the same item."""
    return bool(after and before) and after[0].places[: len(before[0].places)] == before[0].places


_PLAIN = ((1.0,), (1 / 255,))


def _undoes(after: list[Any], before: list[Any]) -> bool:
    """Whether levels that a data set centres are put back where they came from, as for a network that helps others."""

    def plain(state: State) -> bool:
        return state.offset == (0.0,) and state.scale in _PLAIN

    known = bool(after and before) and after[0].scale is not None and before[0].scale is not None
    return known and plain(after[0]) and before[0].touched and not plain(before[0]) and "affine" not in before[0].lost
