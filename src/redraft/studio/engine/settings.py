"""How the engine serves: which model on which device, how much it takes on, what judges its pictures. Reads no file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from redraft.core.config import Config


class EngineSettings(Config):
    """Options of the serving engine, `[studio.engine]`."""

    model: str = Field(default="builtin:sd", min_length=1, description="built-in name, pipeline folder or hub id")
    model_fallback: bool = Field(default=True, description="names of OpenAI's own models mean the champion")
    device: str = Field(default="cpu", description="cpu, cuda, cuda:1, ...")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(default="float32", description="number format of weights")
    threads: int = Field(default=0, ge=0, description="threads of the engine on a CPU; 0: as many as torch takes")
    most_pixels: int = Field(
        default=64 * 64 * 64, ge=1, description="pixels painted at once: so many pictures share a batch, at least one"
    )
    most_models: int = Field(default=3, ge=2, description="checkpoints that are kept in memory")
    most_waiting: int = Field(default=512, ge=1, description="pictures of all people that may wait; more get 503")
    most_waiting_each: int = Field(default=64, ge=1, description="pictures of one person that may wait; more get 429")
    most_pictures: int = Field(default=10, ge=1, le=64, description="pictures of one request")
    most_steps: int = Field(default=100, ge=1, le=1000, description="denoising steps of one request")
    most_guidance: float = Field(default=30.0, ge=1, description="guidance scale of one request")
    longest_prompt: int = Field(default=4000, ge=1, description="characters of a prompt, and of a negative one")
    job_seconds: float = Field(default=900.0, gt=0, description="a request that took longer has failed")
    preview_every: int = Field(default=2, ge=0, description="steps between previews; 0: none")
    preview_edge: int = Field(default=128, ge=16, description="edge of a preview in pixels, at most")
    watch_seconds: float = Field(default=1.0, gt=0, description="how often the live pointer is looked at")
    unsafe_limit: float = Field(default=0.5, ge=0, le=1, description="unsafe probability from which one is blurred")
    clip: str = Field(default="", description="folder of the CLIPModel of the confidence; empty: the built-in one")
    aesthetic: str = Field(default="heads", description="scorer of the aesthetic term: heads, aesthetic-v1 or -v2")
    aesthetic_folder: str = Field(default="", description="its folder; empty: that of `clip`")
    safety: str = Field(default="heads", description="scorer of the unsafe term: heads or safety-laion")
    safety_folder: str = Field(default="", description="its folder; empty: that of `clip`")

    @model_validator(mode="after")
    def _one_request_fits(self) -> EngineSettings:
        if not self.most_pictures <= self.most_waiting_each <= self.most_waiting:
            raise ValueError(
                f"most_pictures={self.most_pictures}, most_waiting_each={self.most_waiting_each}, most_waiting="
                f"{self.most_waiting}: each must be at least the one before, or a request that is allowed could never "
                "be taken"
            )
        return self
