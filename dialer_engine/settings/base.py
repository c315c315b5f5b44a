"""The base of all settings models."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Base of all settings: frozen, unknown keys refused, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, validate_by_name=True, validate_by_alias=True
    )
