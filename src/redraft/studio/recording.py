"""Enters what the engine painted: bytes into the store, a row into the gallery, and the decision whether to ask.

Runs in the engine's writing thread. The rules about asking are `redraft.studio.asking`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from redraft.core.errors import RedraftError
from redraft.store.gallery import Painting
from redraft.store.requests import TRIAL, RequestState
from redraft.studio.asking import AskView, decide_asks
from redraft.studio.context import Studio
from redraft.studio.engine.keeper import Finished
from redraft.studio.engine.making import Kept, Making
from redraft.studio.leftovers import end_leftovers
from redraft.studio.picture_bytes import png_of
from redraft.studio.telemetry import log
from redraft.studio.trials import lay_pair


class Recorder:
    """What the engine writes with."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def keep(self, pictures: Sequence[Finished]) -> list[Kept | RedraftError]:
        """Keep pictures: all in one transaction, or each by itself when one of them cannot be kept."""
        try:
            return list(self._entered(pictures))
        except RedraftError as error:
            if len(pictures) == 1:
                return [error]
        return [outcome for picture in pictures for outcome in self.keep([picture])]

    def end(self, making: Making, state: RequestState) -> float:
        """Enter how a request ended. Returns when. Raises RedraftError."""
        request, at = making.request, self._studio.now()
        self._studio.workspace.requests.set_state(request.id, state, owner=request.owner, at=at)
        if request.source == TRIAL and state == "finished":
            try:
                lay_pair(self._studio, request)
            except RedraftError as error:
                log("trial_not_laid", level=logging.ERROR, request=request.id, error=type(error).__name__)
        return at

    def end_leftovers(self, *, starting: bool) -> int:
        """End requests whose server is gone. Returns how many. Raises RedraftError."""
        return end_leftovers(self._studio, starting=starting)

    def _entered(self, pictures: Sequence[Finished]) -> Sequence[Kept]:
        workspace = self._studio.workspace
        files = workspace.pictures.put_all(
            [png_of(picture.painted.pixels) for picture in pictures], at=self._studio.now()
        )
        paintings = [self._painting(picture, file) for picture, file in zip(pictures, files, strict=True)]
        embeddings = {
            painting.id: (judged.fingerprints["embedding"], judged.embedding)
            for painting, judged in zip(paintings, (picture.painted.judgement for picture in pictures), strict=True)
            if judged.embedding
        }
        workspace.gallery.add(paintings, embeddings=embeddings)
        asks = self._asks(pictures, paintings)
        return [Kept(painting=painting, ask=asks.get(painting.id)) for painting in paintings]

    def _painting(self, finished: Finished, file: str) -> Painting:
        studio, request = self._studio, finished.making.request
        judged = finished.painted.judgement
        limit = studio.settings.engine.unsafe_limit
        unsafe = judged.unsafe is not None and judged.unsafe >= limit
        return Painting(
            id=studio.new_id(),
            request=request.id,
            owner=request.owner,
            picture=file,
            place=finished.place,
            seed=int(request.parameters["seed"]) + finished.place,
            base=request.base,
            checkpoint=request.checkpoint,
            confidence=judged.confidence,
            weakest=judged.weakest,
            terms=judged.terms,
            fingerprints=judged.fingerprints,
            unsafe=unsafe,
            blurred=unsafe,
            safety="blurred" if unsafe else "ok",
            safety_reason=f"looks unsafe to the safety check: {judged.unsafe:.0%}, at {limit:.0%} a picture is blurred"
            if unsafe
            else "",
            created_at=studio.now(),
        )

    def _asks(self, pictures: Sequence[Finished], paintings: Sequence[Painting]) -> dict[str, AskView | None]:
        """The asks by the painting's id; those of one request are decided together."""
        makings = {id(picture.making): picture.making for picture in pictures}
        asks: dict[str, AskView | None] = {}
        for making in makings.values():
            own = [
                (painting, picture.painted.first_confidence)
                for picture, painting in zip(pictures, paintings, strict=True)
                if picture.making is making and making.ask == "auto"
            ]
            if not own:
                continue
            try:
                made = decide_asks(self._studio, making.person, own, request=making.request, session=making.session)
            except Exception as error:
                # The pictures are there: that nobody could be asked about them must not take them away.
                log("asks_not_decided", level=logging.ERROR, request=making.request.id, error=type(error).__name__)
                continue
            asks |= {painting.id: ask for (painting, _), ask in zip(own, made, strict=True)}
        return asks
