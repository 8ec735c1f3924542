"""What is fitted, applied and scored: transformers, models, pipelines, searches and networks."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from dataguard.splits.code import knowledge as known
from dataguard.splits.code.effects import constant, written
from dataguard.splits.code.knowledge import Kind
from dataguard.splits.code.splitting import Splitting
from dataguard.splits.code.values import (
    MAX_ELEMENTS,
    NO_EVENTS,
    NOTHING,
    Class,
    Data,
    Estimator,
    Events,
    Function,
    Instance,
    Mapped,
    Seq,
    Value,
    combined,
    parts_of,
    restricted,
)


class Estimators(Splitting):
    """What methods of transformers and models do."""

    def _steps(self, values: Iterable[Value], depth: int = 0) -> Iterable[Value]:
        for value in values:
            if isinstance(value, Estimator | Instance | Class):
                yield value
            elif isinstance(value, Seq | Mapped) and depth < 4:
                yield from self._steps(value.elements(), depth + 1)

    def _data_arguments(self, arguments: list[Value], keywords: Mapping[str, Value]) -> Data:
        """The samples among the arguments of ``fit`` and the like: the first, or by its name."""
        if arguments:
            return combined(arguments[:1], columns=True)
        for name in ("X", "x", "X_train", "data", "train_dataset", "texts", "documents", "training_frame", "train"):
            if name in keywords:
                return combined([keywords[name]], columns=True)
        return combined(keywords.values(), columns=True)

    def _kind(self, owner: Estimator, depth: int = 0) -> Kind | None:
        """What fitting it learns, if it is no model; None otherwise."""
        kind = known.transformer_kind(owner.name)
        if kind is Kind.IMPUTER and constant(owner.keywords.get("strategy")) == "constant":
            return None
        if kind is not None or owner.name not in known.CONTAINERS or depth > 4:
            return kind
        kinds = [self._kind(step, depth + 1) for step in owner.steps if isinstance(step, Estimator)]
        return known.strongest(kind for kind in kinds if kind is not None)

    def _has_model(self, owner: Estimator, depth: int = 0) -> bool:
        if owner.name in known.CONTAINERS:
            return any(
                isinstance(step, Estimator) and self._has_model(step, depth + 1) for step in owner.steps if depth < 4
            )
        return owner.name in known.SEARCHES or (
            owner.name not in known.TRANSFORMERS
            and owner.name not in known.STATELESS
            and owner.name not in known.CROSS_VALIDATORS
        )

    def _fit_transformer(self, owner: Estimator, kind: Kind, name: str, data: Data, line: int) -> None:
        if not data.rows or data.single:
            owner.events = data.all_events
            return
        event = self.trace.fit(kind, f"{owner.name}.{name}" if name != owner.name else name, line, data.rows)
        owner.events = data.all_events | {event}

    def _train(self, owner: Estimator, method: str, data: Data, line: int) -> None:
        if not data.rows:
            owner.trained = True
            return
        name = f"{owner.name or 'model'}.{method}" if method != owner.name else method
        number = self.trace.train(name, line, data.rows, data.all_events)
        event = self.trace.fit(Kind.MODEL, name, line, data.rows)
        owner.fits = (number,)
        owner.trained = True
        owner.events = data.all_events | {event}

    def estimator_method(
        self, owner: Estimator, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        """A method of a transformer, a model, a pipeline, a search or a fold maker."""
        line = self.trace.line_of(node)
        everything = [*arguments, *keywords.values()]
        if name == "split" or (name == "get_n_splits" and owner.name in known.CROSS_VALIDATORS):
            return self._folds(owner, arguments or list(keywords.values()), line) if name == "split" else Data()
        if name in ("fit_resample", "fit_sample"):
            return self._fit_resample(owner, name, arguments, keywords, line)
        if name == "flow" or name.startswith("flow_from"):
            data = combined(everything)
            return Data(data.rows, data.all_events | owner.events) if data.rows else self.source((name, line))
        if name in ("fit_transform", "fit_predict") or (name in known.FITS and not self._trains(owner, name)):
            return self._fit(owner, name, arguments, keywords, line)
        if name in known.FITS:
            return self._fit_model(owner, name, arguments, keywords, line)
        if name in known.APPLIES or (name == "__call__" and not owner.trained):
            data = self._data_arguments(arguments, keywords)
            return self._applied(owner, data)
        if name in known.PREDICTS or name in known.SCORES:
            data = self._data_arguments(arguments, keywords)
            if not data.rows or data.single:
                return combined([data])
            if not owner.trained and owner.name in known.TRANSFORMERS:
                return self._applied(owner, data)
            number = self.trace.evaluate(
                f"{owner.name or 'model'}.{name}",
                line,
                data.rows,
                data.all_events,
                owner.fits,
                scored=name in known.SCORES,
                count=owner.count,
            )
            return Data(data.rows, data.all_events | owner.events, made_by=(number,), single=data.single)
        if name in ("set_params", "compile", "summary", "to", "cuda", "train", "eval", "double", "float"):
            return owner
        if name in ("add", "add_module", "append") and arguments:
            owner.steps = (*owner.steps, *self._steps(arguments))[:MAX_ELEMENTS]
            return NOTHING
        if name in ("get_params", "get_feature_names", "get_feature_names_out", "get_config", "save", "save_weights"):
            return Data()
        if name in known.ASSOCIATIONS or name in ("get_support", "get_booster"):
            return Data(latent=owner.events, aggregate=True)
        return combined(everything) if everything else Data()

    def _trains(self, owner: Estimator, name: str) -> bool:
        if owner.name in known.TRANSFORMERS or owner.name in known.STATELESS:
            return False
        if name in ("fit_on_texts", "fit_on_sequences", "adapt", "build_vocab"):
            return False
        return self._has_model(owner) if owner.name in known.CONTAINERS else True

    def _applied(self, owner: Estimator, data: Data) -> Data:
        return Data(
            data.rows, data.all_events | owner.events, latent=data.latent, aggregate=data.aggregate, single=data.single
        )

    def _fit(self, owner: Estimator, name: str, arguments: list[Value], keywords: dict[str, Value], line: int) -> Value:
        data = self._data_arguments(arguments, keywords)
        kind = self._kind(owner)
        if kind is None and owner.name in known.CONTAINERS:
            for step in owner.steps:
                fit = step.cls.find("fit") if isinstance(step, Instance) else None
                if isinstance(step, Instance) and isinstance(fit, Function):
                    self.interpreter.bound(step, fit, [data, *arguments[1:]], {})
            owner.events = (
                data.all_events
                | combined(
                    [Seq(list(step.attributes.values())) for step in owner.steps if isinstance(step, Instance)]
                ).latent
            )
        elif kind is not None:
            self._fit_transformer(owner, kind, name, data, line)
        elif owner.name in known.STATELESS or owner.name in known.TRANSFORMERS:
            owner.events = NO_EVENTS
        elif name in ("fit_on_texts", "fit_on_sequences", "build_vocab", "adapt"):
            self._fit_transformer(owner, Kind.VOCABULARY, name, data, line)
        else:
            self._fit_transformer(owner, Kind.PIPELINE, name, data, line)
        if name in ("fit_transform", "fit_predict"):
            return self._applied(owner, data)
        return owner

    def _fit_model(
        self, owner: Estimator, name: str, arguments: list[Value], keywords: dict[str, Value], line: int
    ) -> Value:
        if not arguments and "data" in owner.keywords and owner.name in known.OLS_FUNCTIONS:
            arguments = [owner.keywords["data"]]
        data = self._data_arguments(arguments, keywords)
        share = keywords.get("validation_split")
        label = f"{owner.name or 'model'}.{name}"
        if share is not None and constant(share, 1) not in (0, 0.0) and data.rows:
            key = self.trace.split(
                ("validation_split", line), f"{label}(validation_split=…)", line, data.rows, data.all_events, folds=True
            )
            trained = Data(restricted(data.rows, [(key, "train")]), data.all_events)
            self._train(owner, name, trained, line)
            held = restricted(data.rows, [(key, "test")])
            self.trace.evaluate(
                f"{label}(validation_split=…)", line, held, data.all_events, owner.fits, folds=True, scored=True
            )
        else:
            self._train(owner, name, data, line)
        for option in ("validation_data", "eval_set"):
            held_out = keywords.get(option)
            if held_out is None:
                continue
            if option == "validation_data" and isinstance(held_out, Seq) and held_out.items:
                held_out = held_out.items[0]
            seen = combined([held_out])
            if seen.rows:
                self.trace.evaluate(
                    f"{label}({option}=…)", line, seen.rows, seen.all_events, owner.fits, folds=True, scored=True
                )
        if owner.name in known.SEARCHES and data.rows:
            key = self.trace.split(("folds", owner.name, line), label, line, data.rows, data.all_events, folds=True)
            trained_on = self.trace.train(label, line, restricted(data.rows, [(key, "train")]), data.all_events)
            held = restricted(data.rows, [(key, "test")])
            self.trace.evaluate(label, line, held, data.all_events, (trained_on,), folds=True, scored=True)
        return owner

    def _fit_resample(
        self, owner: Estimator, name: str, arguments: list[Value], keywords: dict[str, Value], line: int
    ) -> Value:
        values = arguments or list(keywords.values())
        results: list[Value] = []
        whole = combined(values)
        kind = known.transformer_kind(owner.name)
        event: Events = NO_EVENTS
        if whole.rows and (kind is Kind.OVERSAMPLING or "Over" in owner.name or "SMOTE" in owner.name.upper()):
            event = frozenset({self.trace.fit(Kind.OVERSAMPLING, f"{owner.name}.{name}", line, whole.rows)})
        for value in values:
            made = combined([value], columns=True)
            made.taint(event)
            results.append(made)
        return Seq(results)

    def _unknown_fit(self, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call) -> Value:
        """Something of which nothing is known is fitted: from here on it is a model, or a transformer."""
        function = node.func
        called = function.value if isinstance(function, ast.Attribute) else function
        label = written(called)
        made = Estimator(label if len(label) <= 30 else "model", self.trace.line_of(node))
        result = self.estimator_method(made, name, arguments, keywords, node)
        if isinstance(called, ast.Name):
            self.interpreter.scope.set(called.id, made)
        elif isinstance(called, ast.Attribute):
            holder = self.interpreter.evaluate(called.value)
            if isinstance(holder, Instance):
                holder.attributes[called.attr] = made
        return result

    def foreign_method(
        self, owner: Instance, name: str, arguments: list[Value], keywords: dict[str, Value], node: ast.Call
    ) -> Value:
        """A method that one of the code's own classes inherits from a library."""
        if name in ("fit", "fit_generator") and (arguments or keywords):
            model = Estimator(owner.cls.name, owner.line)
            held = owner.attributes.setdefault("__estimator__", model)
            if isinstance(held, Estimator):
                self._fit_model(held, name, arguments, keywords, self.trace.line_of(node))
            return owner
        inner = owner.attributes.get("__estimator__")
        if isinstance(inner, Estimator):
            return self.estimator_method(inner, name, arguments, keywords, node)
        if name in ("eval", "train", "to", "cuda", "cpu", "double", "float", "half"):
            return owner
        return combined([*arguments, *keywords.values()])

    def forward(self, owner: Instance, arguments: list[Value], node: ast.Call, *, no_grad: bool) -> Value:
        """A network of the code's own is applied: training where gradients are kept, evaluation where not."""
        data = combined(arguments)
        if not data.rows:
            return data
        name = f"{owner.cls.name}.__call__"
        made_by: tuple[int, ...] = ()
        if no_grad:
            made_by = (
                self.trace.evaluate(
                    name, self.trace.line_of(node), data.rows, data.all_events, owner.fits, scored=True
                ),
            )
        else:
            owner.fits = (*owner.fits, self.trace.train(name, self.trace.line_of(node), data.rows, data.all_events))[
                -4:
            ]
        return Data(data.rows, data.all_events, made_by=made_by)

    def called_estimator(
        self, owner: Estimator, arguments: list[Value], keywords: dict[str, Value], node: ast.Call, *, no_grad: bool
    ) -> Value:
        """Something that is called which also can be fitted: a Keras layer or model, a vectorizer."""
        data = combined([*arguments, *keywords.values()])
        if owner.name in known.TRANSFORMERS:
            return self._applied(owner, data)
        if owner.name == "Sequential" and data.rows:
            if no_grad:
                number = self.trace.evaluate(
                    "Sequential.__call__", self.trace.line_of(node), data.rows, data.all_events, owner.fits
                )
                return Data(data.rows, data.all_events, made_by=(number,))
            owner.fits = (
                *owner.fits,
                self.trace.train("Sequential.__call__", self.trace.line_of(node), data.rows, data.all_events),
            )[-4:]
        return data if data.rows else Data()

    def _booster(self, name: str, arguments: list[Value], keywords: dict[str, Value], line: int) -> Value:
        data = keywords.get("dtrain", keywords.get("train_set", arguments[1] if len(arguments) > 1 else NOTHING))
        model = Estimator(name, line)
        self._train(model, name, combined([data]), line)
        for key in ("evals", "valid_sets"):
            for held in parts_of(keywords.get(key, NOTHING)):
                self.trace.evaluate(
                    f"{name}({key}=…)", line, held.rows, held.all_events, model.fits, folds=True, scored=True
                )
        return model
