"""A language model as judge: tiny random ones built here, whose probabilities are computed a second way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from redraft.core.errors import NumericsError, UsageError
from redraft.prompts.language_model import CLARITY_QUESTION, SPECIFICITY_QUESTION, LanguageModel

BUILTIN_CLIP = Path(__file__).resolve().parents[2] / "src" / "redraft" / "builtin" / "clip"
TEMPLATE = "{% for message in messages %}<u>{{ message['content'] }}</u>{% endfor %}<a>"
TEXTS = ("a cat", "a furry brown dog on a rock in a jungle at sunset", "?")


def tokenizer(folder: Path, *, template: str | None = None) -> Any:
    """A GPT-2 tokenizer of single bytes: "yes" begins with y, "no" with n, both after a space with the space's sign."""
    from transformers import GPT2Tokenizer

    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = len([byte for byte in range(256) if byte not in printable])
    characters = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(others)]
    vocabulary = {character: index for index, character in enumerate(["<|endoftext|>", *characters])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    words = GPT2Tokenizer.from_pretrained(folder)
    words.chat_template = template
    return words


def llama(folder: Path, *, template: str | None = None) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer(folder / "words", template=template)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                max_position_embeddings=2048, initializer_range=0.3,
            )
        )  # fmt: skip
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def gpt2(folder: Path) -> Path:
    """Learned positions: the kind that goes wrong when padding on the left is not counted off."""
    from transformers import GPT2Config, GPT2LMHeadModel

    words = tokenizer(folder / "words")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=len(words), n_embd=32, n_layer=2, n_head=2, n_positions=1024, initializer_range=0.3)
        )
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("language")
    return {
        "llama": llama(folder / "llama"),
        "chat": llama(folder / "chat", template=TEMPLATE),
        "gpt2": gpt2(folder / "gpt2"),
    }


def by_hand(folder: Path, asked: str) -> float:
    """p(yes) / (p(yes) + p(no)) of one text, unpadded, from the softmax over all words."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokens = words(asked, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        probability = model(tokens).logits[0, -1].double().softmax(-1)
    index = {letter: words.convert_tokens_to_ids(letter) for letter in "yYnN"}
    yes = float(probability[index["y"]] + probability[index["Y"]])
    no = float(probability[index["n"]] + probability[index["N"]])
    return yes / (yes + no)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "gpt2", "chat"])
@pytest.mark.parametrize("texts_at_once", [1, 3])
def test_the_score_is_the_probability_of_yes_for_every_batch(
    folders: dict[str, Path], name: str, texts_at_once: int
) -> None:
    model = LanguageModel.open(folders[name], texts_at_once=texts_at_once)
    for question, judge in ((CLARITY_QUESTION, model.clarity), (SPECIFICITY_QUESTION, model.specificity)):
        judgements = judge(TEXTS)
        for text, judgement in zip(TEXTS, judgements, strict=True):
            content = question.replace("{prompt}", text)
            asked = f"<u>{content}</u><a>" if name == "chat" else f"{content}\nAnswer:"
            # float32 against float64, and another order of sums in a batch.
            assert judgement.score == pytest.approx(by_hand(folders[name], asked), abs=2e-5)
            assert judgement.reasons == (f"{name} says yes with probability {judgement.score:.3f}",)
    # A random model, yet it does read the prompt.
    assert len({round(judgement.score, 4) for judgement in judgements}) == 3


@pytest.mark.slow
def test_braces_of_a_prompt_are_no_places_to_fill(folders: dict[str, Path]) -> None:
    model = LanguageModel.open(folders["llama"])
    (plain,) = model.judge(["{prompt} {0}"], question="{prompt}?")
    assert plain.score == pytest.approx(by_hand(folders["llama"], "{prompt} {0}?\nAnswer:"), abs=2e-5)
    assert model.judge([], question=CLARITY_QUESTION) == ()


@pytest.mark.slow
def test_what_is_no_language_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no language model that can be read"):
        LanguageModel.open(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no language model that can be read"):
        LanguageModel.open(tmp_path)
    model = LanguageModel.open(folders["llama"])
    with torch.no_grad():
        model.model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(NumericsError, match="the language model 'llama' gives NaN"):
        model.clarity(["a cat"])


@pytest.mark.slow
def test_a_tokenizer_without_yes_and_no_is_refused(folders: dict[str, Path]) -> None:
    model = LanguageModel.open(folders["llama"])

    class OneWord:
        """Every word is the same token."""

        unk_token_id = None
        chat_template = None

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            return {"input_ids": [7]}

    with pytest.raises(UsageError, match="gives 'yes' and 'no' no different tokens"):
        LanguageModel(model.model, OneWord(), name="mute")


@pytest.mark.slow
def test_the_command_takes_a_language_model_and_a_clip(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a red star\na photo of a red star\na blue circle\na photo of a blue circle\n")
    options = ["mine.txt", "-o", "built", "--judge", str(folders["llama"]), "--clip", str(BUILTIN_CLIP), "--keep", "2"]
    command = [sys.executable, "-c", "from redraft.cli.main import run; run()", "prompts", "build", *options]
    command += ["--clarity", "0", "--specificity", "0", "--near", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["judge"], summary["embedding"], summary["kept"]) == ("llama", "clip", 2)
    rows = [
        json.loads(line)
        for name in ("train", "held-out")
        for line in (tmp_path / "built" / f"{name}.jsonl").read_text().splitlines()
    ]
    # One of the two stars and one of the two circles: the CLIP, not the words, told the groups.
    assert sorted(row["prompt"].split()[-1] for row in rows) == ["circle", "star"]
    model = LanguageModel.open(folders["llama"])
    for row in rows:
        (expected,) = model.clarity([row["prompt"]])
        assert row["provenance"]["clarity"]["score"] == pytest.approx(expected.score, abs=2e-5)
        assert row["provenance"]["clarity"]["reasons"][0].startswith("llama says yes with probability 0.")
