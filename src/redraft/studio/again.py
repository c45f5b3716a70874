"""'Do it again' as implicit feedback: the request that did not please, and how sure the model had been. No points."""

from __future__ import annotations

from redraft.core.errors import RedraftError
from redraft.feedback.answer_ids import answer_id
from redraft.feedback.local_time import local_day
from redraft.store.answer_records import Answer
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.telemetry import log

FORM = "again"


def record_again(studio: Studio, person: Person, earlier: str, *, request_id: str) -> None:
    """Note that a person had a request done again as `request_id`.

    The words of the prompt stay with the request, so that they can be forgotten in one place; the answer has their hash
    and the confidences of the pictures that did not please. A failure is logged and stops no picture.
    """
    workspace, now = studio.workspace, studio.now()
    try:
        request = workspace.requests.get(earlier, owner=person.id)
        shown = [item.confidence for item in workspace.gallery.of_request(earlier, owner=person.id)]
        known = [value for value in shown if value is not None]
        answer = Answer(
            id=answer_id(at=now, entropy=int(studio.new_id(), 16)),
            user=person.id,
            kind="request",
            subject=earlier,
            form=FORM,
            payload={
                "again": request_id,
                "prompt_hash": request.prompt_hash,
                "confidence": min(known) if known else None,
                "pictures": len(shown),
            },
            created_at=now,
            received_at=now,
            day=local_day(now, person.account.asking.timezone),
        )
        workspace.answers.ingest([answer])
    except RedraftError as error:
        log("again not recorded", error=type(error).__name__)
