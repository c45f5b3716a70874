"""The words of the picture world: a request becomes a text, a text becomes a request again.

`parse` is the exact inverse of `text_of` and forgives case, spacing, articles and a leading "a photo of".
It draws nothing at random (see `draws`) and knows no pixels (see `render`).
"""

import re
from typing import NoReturn

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.world.lettering import WORDS
from redraft.world.requests import RELATIONS, STYLES, Item, Relation, RelationKind, Request
from redraft.world.shapes import COLORS, SHAPES, UNSAFE_SHAPE

COUNT_WORDS = ("one", "two", "three", "four")
PREFIX = "a photo of"
MAXIMUM_TOKENS = 20

_PLURALS = {shape: f"{shape}es" if shape.endswith("s") else f"{shape}s" for shape in (*SHAPES, UNSAFE_SHAPE)}
_SINGULARS = {plural: shape for shape, plural in _PLURALS.items()}
_TOKEN = re.compile(r"[A-Za-z]+|[^\sA-Za-z]")
_ARTICLES = ("a", "an", "the")


def vocabulary() -> tuple[str, ...]:
    """Every token that a text of the grammar may contain, punctuation included, without repeats, in a fixed order.

    Label words are in capitals, all others in lower case.
    """
    relation_words = [word for kind in RELATIONS for word in kind.split()]
    words = [*PREFIX.split(), "an", *COUNT_WORDS, *COLORS, *_PLURALS, *_SINGULARS, "and", *relation_words, "with"]
    return tuple(dict.fromkeys([*words, *STYLES, "style", "labelled", ",", '"', *WORDS]))


def tokens_of(text: str) -> tuple[str, ...]:
    """Split a text into the tokens of `vocabulary`: words and single punctuation marks. Unknown words pass through."""
    return tuple(word if word in WORDS else word.lower() for word in _TOKEN.findall(text))


def text_of(request: Request, *, photo: bool = False) -> str:
    """The text of a request, at most 20 tokens.

    Args:
        request: what is asked for.
        photo: put "a photo of" in front; a template variation without meaning.
    """
    items = [_with_article(item) for item in request.items]
    match request.task:
        case "counting":
            text = _counted(request)
        case "position":
            text = f"{items[0]} {request.relations[0].kind} {items[1]}"
        case "scene":
            text = f"{items[0]} {request.relations[0].kind} {items[1]}, with {items[2]} {request.relations[1].kind}"
        case "style":
            text = f"{items[0]}, {request.style} style"
        case "label":
            text = f'{items[0]} labelled "{request.label}"'
        case _:
            text = " and ".join(items)
    return f"{PREFIX} {text}" if photo else text


def prompt_of(request: Request, *, photo: bool = False) -> Prompt:
    """The request as a prompt record, tagged with task, shapes, colours, count, style, label (`task:counting`, ...)."""
    tags = [f"task:{request.task}"]
    tags += [f"shape:{item.shape}" for item in request.items]
    tags += [f"color:{item.color}" for item in request.items if item.color is not None]
    if request.task == "counting":
        tags.append(f"count:{request.count}")
    if request.style is not None:
        tags.append(f"style:{request.style}")
    if request.label is not None:
        tags.append(f"label:{request.label}")
    return Prompt(
        text=text_of(request, photo=photo), tags=tuple(dict.fromkeys(tags)), source="world", licence="CC0-1.0"
    )


def parse(text: str) -> Request:
    """Read a text of the grammar.

    Args:
        text: for example "a red star left of a circle". Case, spaces, articles, a leading "a photo of" and a full
            stop at the end do not matter.

    Returns:
        The request; `parse(text_of(request)) == request` for every request.

    Raises:
        UsageError: when the text is not of the grammar.
    """
    words = [word for word in tokens_of(text.strip().removesuffix(".")) if word not in _ARTICLES]
    prefix = [word for word in PREFIX.split() if word not in _ARTICLES]
    return _Reader(text, words[len(prefix) :] if words[: len(prefix)] == prefix else words).request()


class _Reader:
    """Reads the words of one text from left to right."""

    def __init__(self, text: str, words: list[str]) -> None:
        self._text = text
        self._words = words

    def request(self) -> Request:
        """The whole text, or a UsageError."""
        if self._words[:1] and self._words[0] in COUNT_WORDS:
            return self._counting()
        first = self._item()
        if not self._words:
            return Request(task="colors" if first.color else "single_object", items=(first,))
        if self._take("and"):
            items = (first, self._item())
            self._end()
            return Request(task="color_attr" if any(item.color for item in items) else "two_object", items=items)
        if self._take("labelled") or self._take("labeled"):
            return Request(task="label", items=(first,), label=self._word())
        kind = self._relation()
        if kind is not None:
            return self._related(first, kind)
        self._take(",")
        style = self._next(STYLES, "a style, a relation, 'and' or 'labelled'")
        self._take("style")
        self._end()
        if style == "neon" and first.color == "black":
            self._fail("another color: neon shines on a dark ground, black cannot", found="black")
        return Request(task="style", items=(first,), style=style)

    def _counting(self) -> Request:
        count = COUNT_WORDS.index(self._words.pop(0)) + 1
        color = self._words.pop(0) if self._words[:1] and self._words[0] in COLORS else None
        shape = self._next((*_PLURALS, *_SINGULARS), "a shape")
        self._end()
        return Request(task="counting", items=(Item(shape=_SINGULARS.get(shape, shape), color=color),), count=count)

    def _related(self, first: Item, kind: RelationKind) -> Request:
        second = self._item()
        if not self._words:
            return Request(task="position", items=(first, second), relations=(Relation(first=0, kind=kind, second=1),))
        self._take(",")
        if not self._take("with"):
            self._fail("', with' or the end")
        third = self._item()
        side = self._relation()
        if side is None or side not in RELATIONS[2:] or kind not in RELATIONS[:2]:
            self._fail("in a scene 'left of' or 'right of' first, and 'above' or 'below' at the end")
        self._end()
        relations = (
            Relation(first=0, kind=kind, second=1),
            Relation(first=2, kind=side, second=0),
            Relation(first=2, kind=side, second=1),
        )
        return Request(task="scene", items=(first, second, third), relations=relations)

    def _item(self) -> Item:
        color = self._words.pop(0) if self._words[:1] and self._words[0] in COLORS else None
        return Item(
            shape=self._next(tuple(_PLURALS), "a color or a shape" if color is None else "a shape"), color=color
        )

    def _word(self) -> str:
        letters = "".join(word for word in self._words if word != '"').upper()
        if letters not in WORDS:
            self._fail(f"one of the label words {', '.join(WORDS)}")
        return letters

    def _relation(self) -> RelationKind | None:
        for kind in RELATIONS:
            parts = kind.split()
            if self._words[: len(parts)] == parts:
                del self._words[: len(parts)]
                return kind
        return None

    def _take(self, word: str) -> bool:
        found = self._words[:1] == [word]
        if found:
            del self._words[0]
        return found

    def _next(self, known: tuple[str, ...], wanted: str) -> str:
        if not self._words or self._words[0] not in known:
            self._fail(wanted)
        return self._words.pop(0)

    def _end(self) -> None:
        if self._words:
            self._fail("the end")

    def _fail(self, wanted: str, *, found: str = "") -> NoReturn:
        found = found or (repr(self._words[0]) if self._words else "the end of the text")
        raise UsageError(
            f"prompt {self._text!r} is not of the picture world: expected {wanted}, found {found}; "
            "write it like 'a red star', 'three stars', 'a star left of a circle', "
            "'a red star and a blue circle', 'a red star, woodcut style' or "
            f"'a red star labelled \"{WORDS[0]}\"'; shapes: {', '.join(SHAPES)}; colors: {', '.join(COLORS)}"
        )


def _with_article(item: Item) -> str:
    words = item.shape if item.color is None else f"{item.color} {item.shape}"
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _counted(request: Request) -> str:
    item = request.items[0]
    shape = item.shape if request.count == 1 else _PLURALS[item.shape]
    return " ".join(word for word in (COUNT_WORDS[request.count - 1], item.color, shape) if word is not None)
