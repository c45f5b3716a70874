"""Floor 2: the built-in picture world: grammar of prompts, renderer, exact oracle, true facets, simulated raters.

No torch, no disk, no clock; every random function takes a numpy generator.
"""

from redraft.world.corrupt import corrupt_request
from redraft.world.draws import Combinations, all_combinations, draw_prompts, draw_request, split_combinations
from redraft.world.facets import facets
from redraft.world.grammar import parse, prompt_of, text_of, tokens_of, vocabulary
from redraft.world.lettering import WORDS
from redraft.world.oracle import Reading, SeenObject, read, read_batch
from redraft.world.raters import Rater
from redraft.world.render import render
from redraft.world.requests import ALL_TASKS, GENEVAL_TASKS, STYLES, TAIL_TASKS, TASKS, Item, Relation, Request
from redraft.world.shapes import COLORS, SHAPES, UNSAFE_SHAPE
from redraft.world.verify import Verification, verify, verify_batch, verify_reading

__all__ = [
    "ALL_TASKS", "COLORS", "GENEVAL_TASKS", "SHAPES", "STYLES", "TAIL_TASKS", "TASKS", "UNSAFE_SHAPE", "WORDS",
    "Combinations", "Item", "Rater", "Reading", "Relation", "Request", "SeenObject", "Verification",
    "all_combinations", "corrupt_request", "draw_prompts", "draw_request", "facets", "parse", "prompt_of", "read",
    "read_batch", "render", "split_combinations", "text_of", "tokens_of", "verify", "verify_batch", "verify_reading",
    "vocabulary",
]  # fmt: skip
