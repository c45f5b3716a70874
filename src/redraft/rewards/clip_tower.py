"""A CLIPModel folder opened for scoring: features of pictures and texts, frozen. Not a scorer: it gives no score."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as functional

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.records import Prompt
from redraft.rewards.concepts import Concepts, read_concepts
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.long_texts import LongTexts, averaged, fit_rows, padded
from redraft.rewards.pixels import PicturePreprocessing, read_preprocessing
from redraft.rewards.vocabularies import has_clip_vocabulary, read_clip_tokenizer

TEXTS_KEPT = 20_000
TEXTS_AT_ONCE = 256
_NO_PART_OF_THE_MODEL = ("transformers_version", "_name_or_path", "dtype", "torch_dtype", "architectures")


class ClipTower:
    """A frozen CLIPModel with its tokenizer and preprocessing.

    dimension: D, the width of its features. scale: exp(logit_scale). identity: hash of the weights in half precision,
    the same before and after shipping in half; it tells which heads fit. fingerprint: hash of weights, settings,
    tokenizer, preprocessing, number format and scale; it tells which scores compare. truncated: texts cut so far.
    concepts: what else its state tells, None where nothing is known of it. folder: where it lies, None for one that was
    made otherwise.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        preprocessing: PicturePreprocessing,
        batch: int = 64,
        identity: str | None = None,
        scale: float | None = None,
        long_texts: LongTexts = "truncate",
        concepts: Concepts | None = None,
        folder: Path | None = None,
    ) -> None:
        """Take a CLIPModel in its final number format. batch: pictures at once. long_texts: see `long_texts`.

        identity, scale: None to compute them here; half precision would round the scale. Raises NumericsError for NaN
        or infinity in a weight.
        """
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.preprocessing, self.batch = tokenizer, preprocessing, batch
        self.long_texts: LongTexts = long_texts
        self.concepts, self.folder = concepts, folder
        self.truncated = 0
        self._texts: dict[str, torch.Tensor] = {}
        state = model.state_dict()
        _require_finite(state)
        self.dimension = int(model.config.projection_dim)
        self.scale = float(model.logit_scale.detach().float().exp()) if scale is None else scale
        self.identity = identity or hash_tensors(state, rounded=True)
        settings = {k: v for k, v in sorted(model.config.to_dict().items()) if k not in _NO_PART_OF_THE_MODEL}
        # The usual policy adds nothing, so that fingerprints stored before there was a choice stay good.
        policy = () if long_texts == "truncate" else (long_texts,)
        self.fingerprint = fingerprint_of(
            hash_tensors(state), json.dumps(settings, sort_keys=True, default=str),
            sorted(tokenizer.get_vocab().items()), self._longest, preprocessing, self.dtype, self.scale, *policy,
        )  # fmt: skip

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights."""
        return self.model.logit_scale.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.logit_scale.device  # type: ignore[no-any-return]

    @property
    def _longest(self) -> int:
        positions = int(self.model.config.text_config.max_position_embeddings)
        return min(int(self.tokenizer.model_max_length), positions)

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,D float32 of length 1 from pixels B,3,H,W in 0..1, by the reference preprocessing. No gradient."""
        with torch.no_grad():
            parts = [self.embed(self.preprocessing.reference(part)) for part in torch.split(pixels, self.batch)]
        return torch.cat(parts) if parts else pixels.new_zeros(0, self.dimension)

    def image_features_differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,D of length 1, differentiable in pixels B,3,H,W in 0..1."""
        return self.embed(self.preprocessing.differentiable(pixels))

    def image_maps_differentiable(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The patch features of each layer, B,D,height,width, differentiable in pixels B,3,H,W in 0..1."""
        inputs = self.preprocessing.differentiable(pixels).to(self.device, self.dtype)
        states = self.model.vision_model(pixel_values=inputs, output_hidden_states=True).hidden_states[1:]
        side = math.isqrt(states[0].shape[1] - 1)  # the first token is no patch
        patches = (_at_least_float32(state[:, 1:]).transpose(1, 2) for state in states)
        return tuple(patch.reshape(*patch.shape[:2], side, side) for patch in patches)

    def embed(self, inputs: torch.Tensor) -> torch.Tensor:
        """B,D of length 1 from preprocessed inputs B,3,crop,crop; keeps the gradient."""
        output = self.model.get_image_features(pixel_values=inputs.to(self.device, self.dtype))
        return functional.normalize(_at_least_float32(output.pooler_output), dim=-1)

    def text_features(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """B,D float32 of length 1, each distinct text encoded once and kept. No gradient.

        A text beyond the tokenizer's maximum is treated by the policy `long_texts`: cut before its end token, which
        stays (pooling reads it there), counted in `truncated` and named in a warning; read in windows whose features
        are averaged; or refused with a UsageError.
        """
        new = {prompt.id: prompt.text for prompt in prompts if prompt.id not in self._texts}
        kept = self._texts if len(self._texts) + len(new) <= TEXTS_KEPT else {}
        if kept is not self._texts:  # start afresh, but keep what this call needs
            kept.update({prompt.id: self._texts[prompt.id] for prompt in prompts if prompt.id in self._texts})
            self._texts = kept
        names = list(new)
        for start in range(0, len(names), TEXTS_AT_ONCE):
            part = names[start : start + TEXTS_AT_ONCE]
            self._texts.update(zip(part, self._encode([new[name] for name in part]), strict=True))
        return torch.stack([self._texts[prompt.id] for prompt in prompts])

    def _encode(self, texts: list[str]) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tokenizer's own warning about length: ours says what is done
            rows = self.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        fitted = fit_rows(rows, texts, longest=self._longest, policy=self.long_texts, reader="this CLIP")
        self.truncated += fitted.cut
        identifiers, mask = padded(fitted.rows, padding=int(self.tokenizer.pad_token_id))
        with torch.no_grad():
            output = self.model.get_text_features(
                input_ids=identifiers.to(self.device), attention_mask=mask.to(self.device)
            )
        features = functional.normalize(output.pooler_output.float(), dim=-1)
        if len(fitted.rows) == len(texts):
            return features
        return functional.normalize(averaged(features, fitted.text, count=len(texts)), dim=-1)

    def replaced(self, weights: Mapping[str, torch.Tensor]) -> ClipTower:
        """A tower with these weights (some names of the CLIPModel) in place of its own; this one is unchanged.

        It has no concepts: they were read off another state.
        """
        model = copy.deepcopy(self.model)
        unexpected = model.load_state_dict(dict(weights), strict=False).unexpected_keys
        if unexpected:
            raise DamagedError(
                f"weights {', '.join(unexpected[:3])} are not of this CLIP: use the folder that the head was fitted "
                "with"
            )
        return ClipTower(
            model, self.tokenizer, preprocessing=self.preprocessing, batch=self.batch, long_texts=self.long_texts
        )


def open_tower(
    folder: str | Path,
    *,
    device: str = "cpu",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    batch: int = 64,
    long_texts: LongTexts = "truncate",
    vocabulary: str | Path = "",
) -> ClipTower:
    """Open a CLIPModel folder (transformers' save_pretrained, with its tokenizer). Never goes to the network.

    vocabulary: folder of the tokenizer where it is another one.
    Raises UsageError for a folder that is none or holds another model or no tokenizer, DamagedError for files that
    cannot be read or lack weights, NumericsError for NaN or infinity in a weight.
    """
    path, words = Path(folder), Path(vocabulary or folder)
    _require_clip(path, vocabulary=words)
    model, tokenizer = _load(path), read_clip_tokenizer(words)
    if model.config.text_config.vocab_size < len(tokenizer):
        raise UsageError(
            f"the CLIP folder {path.name!r} has {model.config.text_config.vocab_size} token embeddings for a tokenizer "
            f"of {len(tokenizer)} tokens: they belong to two models; copy the tokenizer that the model was trained with"
        )
    preprocessing = read_preprocessing(path, image_size=int(model.config.vision_config.image_size))
    # Before the change of format: heads fitted in float32 may be used with the same CLIP in bfloat16.
    identity, scale = hash_tensors(model.state_dict(), rounded=True), float(model.logit_scale.detach().exp())
    concepts = read_concepts(path, clip=identity, width=int(model.config.vision_config.hidden_size))
    return ClipTower(
        model.to(device=device, dtype=getattr(torch, dtype)),
        tokenizer,
        preprocessing=preprocessing,
        batch=batch,
        identity=identity,
        scale=scale,
        long_texts=long_texts,
        concepts=concepts,
        folder=path,
    )


def _require_clip(folder: Path, *, vocabulary: Path) -> None:
    wanted = "give a folder that holds a CLIPModel with its tokenizer, as save_pretrained writes it"
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise UsageError(f"CLIP folder {str(folder)!r} {what}: {wanted}")
    if not (folder / "config.json").is_file():
        raise UsageError(f"CLIP folder {str(folder)!r} has no config.json: {wanted}")
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"config.json of the CLIP folder {folder.name!r} is not a JSON object: {error}") from error
    if kind != "clip":
        raise UsageError(f"folder {str(folder)!r} holds a model of type {kind!r}, not 'clip': {wanted}")
    if vocabulary == folder and not has_clip_vocabulary(folder):
        raise UsageError(
            f"CLIP folder {str(folder)!r} has no tokenizer.json or vocab.json: {wanted}, or name the folder of its "
            "tokenizer as `vocabulary` in the scorer's table"
        )


def _load(folder: Path) -> Any:
    from safetensors import SafetensorError
    from transformers import CLIPModel
    from transformers.utils import logging

    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # its report of weights that are missing: we say that below
    try:
        model, found = CLIPModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DamagedError(
            f"the CLIP in {str(folder)!r} cannot be read ({type(error).__name__}: {str(error).strip()[:200]}): a file "
            "is missing or damaged; fetch or save it again"
        ) from error
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
    # transformers fills weights that are not there with random numbers and only logs it.
    lacking = sorted(str(name) for name in (*found["missing_keys"], *found["mismatched_keys"]))
    if lacking:
        raise DamagedError(
            f"the CLIP in {str(folder)!r} lacks {len(lacking)} weights or has them in another shape, {lacking[0]} "
            "first: fetch or save it again"
        )
    return model


def _require_finite(state: Mapping[str, torch.Tensor]) -> None:
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NumericsError(
                f"the weight {name} of the CLIP holds NaN or infinity: no score of it would mean anything; fetch the "
                "folder again, or use float32 if it was float16"
            )


def _at_least_float32(features: torch.Tensor) -> torch.Tensor:
    return features if features.dtype == torch.float64 else features.float()
