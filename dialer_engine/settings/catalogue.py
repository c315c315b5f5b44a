"""Every key that the settings know, taken from the models: for error texts and the documentation."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from dialer_engine.settings.base import Model

ANY = "NAME"
"""Stands for a name that the user chooses, or for the items of a list."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the way to it, its description, what it allows and its default."""

    path: tuple[str, ...]
    field: FieldInfo
    model: type[Model] | None

    @property
    def description(self) -> str:
        """What the key means."""
        return self.field.description or ""

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.field.is_required()

    @property
    def allowed(self) -> str:
        """The allowed words or range, as far as the model states them."""
        return allowed_text(self.field)


def keys(model: type[Model], above: tuple[str, ...] = ()) -> Iterator[Key]:
    """All keys of a model and of the models below it, in the order of declaration."""
    for name, field in model.model_fields.items():
        path = (*above, key_name(name, field))
        inner, repeated = inner_model(field.annotation)
        yield Key(path, field, inner)
        if inner is not None:
            yield from keys(inner, (*path, ANY) if repeated else path)


def key_name(name: str, field: FieldInfo) -> str:
    """The field's name in YAML."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def inner_model(annotation: Any) -> tuple[type[Model] | None, bool]:
    """The settings model inside an annotation, and whether names or a list stand between."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation, False
    repeated = get_origin(annotation) in (dict, list)
    for part in get_args(annotation):
        found, deeper = inner_model(part)
        if found is not None:
            return found, repeated or deeper
    return None, False


def allowed_text(field: FieldInfo) -> str:
    """The allowed words or range of a field, or nothing."""
    words = literal_words(field.annotation)
    if words:
        return ", ".join(words)
    low, high = _bounds(field)
    return f"{low} to {high}" if low and high else low or high


def literal_words(annotation: Any) -> list[str]:
    """The words of a choice; for a list, of its items; for a mapping, none."""
    origin = get_origin(annotation)
    if origin is Literal:
        return [str(word) for word in get_args(annotation)]
    if origin in (list, Union, types.UnionType) or hasattr(annotation, "__metadata__"):
        return [word for part in get_args(annotation) for word in literal_words(part)]
    return []


def _bounds(field: FieldInfo) -> tuple[str, str]:
    low = high = ""
    for item in field.metadata:
        if isinstance(item, annotated_types.Ge):
            low = str(item.ge)
        elif isinstance(item, annotated_types.Gt):
            low = f"above {item.gt}, up"
        elif isinstance(item, annotated_types.Le):
            high = str(item.le)
    return low, high
