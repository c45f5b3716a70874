"""From a name, a folder or a table to a scorer: released weights are recognised, and tables say where and how."""

from pathlib import Path

import pytest
import torch
from released_layouts import copy_tokenizer, image_reward_state, open_clip_state, write_bert_vocabulary

from redraft.cli.factory import PluginFactory
from redraft.core.errors import ConfigError, UnknownNameError, UsageError

BUILTIN_CLIP = Path(__file__).parents[2] / "src" / "redraft" / "builtin" / "clip"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from redraft.rewards.vocabularies import read_clip_tokenizer

    root = tmp_path_factory.mktemp("released")
    copy_tokenizer(BUILTIN_CLIP, root / "hps")
    torch.save(open_clip_state(words=len(read_clip_tokenizer(root / "hps"))), root / "hps" / "HPS_v2.1_compressed.pt")
    words = write_bert_vocabulary(root / "image-reward")
    torch.save(image_reward_state(words=words), root / "image-reward" / "ImageReward.pt")
    return root


def test_a_folder_with_released_weights_is_a_reward(released: Path) -> None:
    factory = PluginFactory()
    hps = factory.scorer(str(released / "hps"))
    assert type(hps).__name__ == "HpsScorer"
    assert hps.version == "v2.1"  # type: ignore[attr-defined]
    assert type(factory.scorer(str(released / "image-reward"))).__name__ == "ImageRewardScorer"
    assert type(factory.scorer(str(BUILTIN_CLIP))).__name__ == "ClipSimilarityScorer"


def test_a_table_says_where_a_scorer_is_and_how_it_computes(released: Path) -> None:
    folder = str(released / "hps")
    tables = {
        "hps": {"folder": folder},
        "hps-windows": {"plugin": "hps", "folder": folder, "long_texts": "windows", "dtype": "bfloat16"},
        "clip": {"dtype": "bfloat16"},
        "far": {"folder": folder},
    }
    factory = PluginFactory(scorers=tables)
    usual, windows = factory.scorer("hps"), factory.scorer("hps-windows")
    assert (usual.name, windows.name) == ("hps", "hps-windows")
    assert usual.fingerprint != windows.fingerprint
    assert windows.tower.dtype == torch.bfloat16  # type: ignore[attr-defined]
    assert factory.scorer("clip").tower.dtype == torch.bfloat16  # type: ignore[attr-defined]
    with pytest.raises(UnknownNameError, match="scorer 'far' is unknown"):
        factory.scorer("far")


def test_faults_name_the_way_out(released: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"image-reward needs a folder, '' is none: set folder = '...' in \[scor"):
        PluginFactory().scorer("image-reward")
    with pytest.raises(ConfigError, match=r"\[scorers.clip\]: dtype = 'float8'"):
        PluginFactory(scorers={"clip": {"dtype": "float8"}}).scorer("clip")
    for name in ("hpc.pt", "ImageReward.pt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=r"holds the weights of hps and image-reward: name the one that is meant"):
        PluginFactory().scorer(str(tmp_path))
