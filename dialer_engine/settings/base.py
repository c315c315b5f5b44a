"""The base of all settings models."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator


class Model(BaseModel):
    """Base of all settings: frozen, unknown keys refused, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, validate_by_name=True, validate_by_alias=True
    )

    retired: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions that did nothing, with the remedy: a file may still have them, and is warned of them."""

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, data: Any, info: ValidationInfo) -> Any:
        """In YAML a key without a value means the default, so that whole sections can be commented out."""
        if info.context is None:
            return data
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        names = {field.validation_alias or name for name, field in cls.model_fields.items()}
        given = {key: value for key, value in data.items() if key not in cls.retired}
        return {key: value for key, value in given.items() if value is not None or key not in names}
