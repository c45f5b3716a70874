"""The bodies of the OpenAI Images API that the studio reads and writes, and our own additions to them. Does nothing.

What current and older clients send is taken: unknown top-level keys are ignored, `null` is as good as leaving out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from redraft.studio.engine.making import Ask
from redraft.studio.job_view import MadePicture
from redraft.studio.picture_bytes import Format

Quality = Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"]
EFFORT: Mapping[Quality, float] = {
    "low": 0.5, "auto": 1, "medium": 1, "standard": 1, "high": 2, "hd": 2, "xhigh": 3, "max": 4,
}  # fmt: skip
"""How many of the model's own steps a quality is worth."""
ANSWERED: Mapping[Quality, str] = {"auto": "medium", "standard": "medium", "hd": "high"}
"""What the answer calls these qualities."""


def _plain(value: Any) -> Any:
    """Some clients send an object, even an empty one, where a word is expected."""
    return (value.get("type") or None) if isinstance(value, dict) else value


class Extras(BaseModel):
    """What the OpenAI API has no field for. `redraft generate` knows the same words."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    negative_prompt: str = ""
    critique: bool = False
    again_of: str | None = None
    ask: Ask = "auto"


class GenerationBody(BaseModel):
    """A request for pictures."""

    prompt: str
    model: str | None = None
    n: int | None = None
    size: str | None = None
    quality: Quality | None = None
    response_format: Annotated[Literal["url", "b64_json"] | None, BeforeValidator(_plain)] = None
    output_format: Format | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    background: Literal["auto", "opaque", "transparent"] | None = None
    moderation: Literal["auto", "low"] | None = None
    style: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    stream: bool | None = None
    partial_images: int | None = Field(default=None, ge=0, le=3)
    x_redraft: Extras | None = None


class TokenDetails(BaseModel):
    """Always zero: pictures are not counted in tokens here; typed clients want the fields."""

    text_tokens: int = 0
    image_tokens: int = 0


class Usage(BaseModel):
    """Always zero, as above."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: TokenDetails = TokenDetails()


class PictureData(BaseModel):
    """One picture: its bytes or its address, and ours about it."""

    b64_json: str | None = None
    url: str | None = None
    x_redraft: MadePicture


class RequestFacts(BaseModel):
    """How the pictures of a request were made."""

    job: str
    model: str
    base: str
    checkpoint: str
    seed: int
    steps: int
    guidance: float


class GenerationAnswer(BaseModel):
    """The answer to a request for pictures."""

    created: int
    data: list[PictureData]
    background: str = "opaque"
    output_format: Format
    quality: str
    size: str
    usage: Usage = Usage()
    x_redraft: RequestFacts


class StreamedEvent(BaseModel):
    """One event of a stream: a preview, or a picture that is ready."""

    type: Literal["image_generation.partial_image", "image_generation.completed"]
    b64_json: str
    background: str = "opaque"
    created_at: int
    output_format: Format
    quality: str
    size: str
    partial_image_index: int | None = None
    usage: Usage | None = None
    x_redraft: MadePicture | None = None


class ServedModel(BaseModel):
    """A name that requests may give as their model. created: since when it stands for what it does."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "redraft"


class ServedModels(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[ServedModel]
