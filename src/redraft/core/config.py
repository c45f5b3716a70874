"""From TOML text to a typed pydantic model: unknown keys are errors that name the nearest key. Reads no file itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from redraft.core.errors import ConfigError, nearest


class Config(BaseModel):
    """Base of every configuration: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


ConfigType = TypeVar("ConfigType", bound=BaseModel)


def read_toml(text: str, *, source: str) -> dict[str, Any]:
    """Parse TOML text. Raises ConfigError naming `source` and the line when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {error}; mend that line") from error
    except (ValueError, RecursionError) as error:
        # Whole numbers of thousands of digits, and arrays within arrays, are valid TOML that Python does not read.
        raise ConfigError(f"{source} cannot be read: {error}; shorten the number or unfold the table") from error


def build(model: type[ConfigType], values: Mapping[str, Any], *, source: str) -> ConfigType:
    """Validate `values` as `model`.

    Raises ConfigError with one line for each wrong value: where it stands, the rule, and for an unknown key the
    nearest known ones.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(model, problem) for problem in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error


def _explain(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        close = nearest(location[-1], known)
        hint = (
            f"did you mean {' or '.join(repr(name) for name in close)}?" if close else f"known keys: {', '.join(known)}"
        )
        return f"the key {where!r} is unknown: {hint}"
    if isinstance(problem["input"], Mapping) and problem["type"] == "value_error":
        # A rule about several keys names them itself; the whole table may hold what should not be shown.
        message = problem["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    return f"{where} = {problem['input']!r}: {problem['msg']}"


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        field = model.model_fields.get(part)
        inner = None if field is None else _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    candidates = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)), None)
