"""The official `openai` client, unchanged, against a running server."""

from __future__ import annotations

import base64
import io
import time
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from tests.studio.conftest import PaintingStudio

QUICK: dict[str, Any] = {"x_redraft": {"steps": 2, "ask": "never"}}


def opened(data: bytes) -> Any:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.fixture(scope="module")
def client(painting: PaintingStudio) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{painting.running.url}/v1", api_key=painting.keys["ann"], max_retries=0)


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"champion", "base", "builtin:sd"} <= set(listed)
    assert all(model.object == "model" and model.owned_by == "redraft" for model in listed.values())
    assert client.models.retrieve("champion").id == "champion"
    assert client.models.retrieve("builtin:sd").id == "builtin:sd"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("gpt-9")
    assert error.value.code == "model_not_found"


def test_pictures_come_as_base64(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a red star", model="champion", n=3, size="64x64", extra_body=QUICK)
    assert answer.data is not None
    assert len(answer.data) == 3
    for item in answer.data:
        assert item.url is None
        image = opened(base64.b64decode(item.b64_json or ""))
        assert (image.format, image.size) == ("PNG", (64, 64))
        assert not image.info, "no prompt may leak through the file"
    assert (answer.size, answer.output_format, answer.background) == ("64x64", "png", "opaque")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 0
    assert len({item.b64_json for item in answer.data}) == 3


def test_pictures_come_as_addresses_that_open_without_a_key(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a blue ring", response_format="url", extra_body=QUICK)
    assert answer.data is not None
    url = answer.data[0].url or ""
    assert answer.data[0].b64_json is None
    got = httpx.get(url)
    assert (got.status_code, got.headers["content-type"]) == (200, "image/png")
    assert opened(got.content).size == (64, 64)
    assert httpx.get(url.replace("signature=", "signature=x")).status_code == 403
    assert httpx.get(url.split("?")[0]).status_code == 404


@pytest.mark.parametrize(("form", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_formats_and_compression(client: openai.OpenAI, form: Any, name: str) -> None:
    sizes = []
    for compression in (5, 95):
        answer = client.images.generate(
            prompt="a green cross", output_format=form, output_compression=compression,
            extra_body={"x_redraft": {"steps": 2, "seed": 9, "ask": "never"}},
        )  # fmt: skip
        assert answer.data is not None
        assert answer.output_format == form
        data = base64.b64decode(answer.data[0].b64_json or "")
        assert opened(data).format == name
        sizes.append(len(data))
    assert sizes[0] == sizes[1] if form == "png" else sizes[0] < sizes[1]


def test_our_own_additions(client: openai.OpenAI) -> None:
    wanted = {"seed": 41, "steps": 3, "guidance": 2.5, "negative_prompt": "a blue ring", "ask": "never"}
    answer = client.images.generate(prompt="a red star", n=2, extra_body={"x_redraft": wanted})
    facts: dict[str, Any] = answer.model_dump()["x_redraft"]
    assert {name: facts[name] for name in ("seed", "steps", "guidance", "base", "model")} == {
        "seed": 41, "steps": 3, "guidance": 2.5, "base": "builtin:sd", "model": "champion"
    }  # fmt: skip
    assert answer.data is not None
    for place, item in enumerate(answer.data):
        own: dict[str, Any] = item.model_dump()["x_redraft"]
        assert (own["seed"], own["place"], own["job"]) == (41 + place, place, facts["job"])
        # builtin:sd ships with its calibration: every term is there, and the confidence is the least of them.
        assert set(own["terms"]) == {"clip", "aesthetic", "unsafe"}
        assert own["confidence"] == min(own["terms"].values())
        assert own["terms"][own["weakest"]] == own["confidence"]
    again = client.images.generate(prompt="a red star", extra_body={"x_redraft": {**wanted, "seed": 42}})
    assert again.data is not None
    first, second = (opened(base64.b64decode(x.b64_json or "")) for x in (answer.data[1], again.data[0]))
    assert max_difference(first, second) <= 1


def max_difference(first: Any, second: Any) -> int:
    return max(abs(a - b) for a, b in zip(first.tobytes(), second.tobytes(), strict=True))


@pytest.mark.parametrize(
    ("quality", "steps", "answered"), [("low", 5, "low"), ("auto", 10, "medium"), ("hd", 20, "high")]
)
def test_quality_is_a_number_of_steps(client: openai.OpenAI, quality: Any, steps: int, answered: str) -> None:
    answer = client.images.generate(prompt="a red star", quality=quality, extra_body={"x_redraft": {"ask": "never"}})
    assert answer.model_dump()["x_redraft"]["steps"] == steps
    assert answer.quality == answered


def test_a_stream_shows_previews_and_ends_with_the_picture(client: openai.OpenAI) -> None:
    stream = client.images.generate(
        prompt="a red star", stream=True, partial_images=2, extra_body={"x_redraft": {"seed": 7, "ask": "never"}}
    )
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events if event.type == "image_generation.partial_image"] == [0, 1]
    pictures = [opened(base64.b64decode(event.b64_json)).convert("RGB") for event in events]
    whole = client.images.generate(prompt="a red star", extra_body={"x_redraft": {"seed": 7, "ask": "never"}})
    assert whole.data is not None
    last = opened(base64.b64decode(whole.data[0].b64_json or ""))
    assert max_difference(pictures[2], last) <= 1
    # A later preview is nearer to the picture than an earlier one.
    errors = [sum(abs(a - b) for a, b in zip(each.tobytes(), last.tobytes(), strict=True)) for each in pictures[:2]]
    assert errors[1] < errors[0]
    completed = events[-1]
    assert completed.type == "image_generation.completed"
    assert completed.usage.total_tokens == 0
    assert completed.model_dump()["x_redraft"]["seed"] == 7


def test_a_stream_of_several_pictures_completes_each(client: openai.OpenAI) -> None:
    stream = client.images.generate(prompt="a red star", n=3, stream=True, extra_body=QUICK)
    assert [event.type for event in stream] == ["image_generation.completed"] * 3


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 4001}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"n": 11}, "n"),
        ({"n": 10**400}, "n"),
        ({"n": 0}, "n"),
        ({"size": "1024x1024"}, "size"),
        ({"quality": "splendid"}, "quality"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"background": "transparent"}, "background"),
        ({"partial_images": 2}, "partial_images"),
        ({"extra_body": {"x_redraft": {"steps": 0}}}, "steps"),
        ({"extra_body": {"x_redraft": {"steps": 101}}}, "steps"),
        ({"extra_body": {"x_redraft": {"guidance": 99}}}, "guidance"),
        ({"extra_body": {"x_redraft": {"seed": -1}}}, "seed"),
        ({"extra_body": {"x_redraft": {"sede": 1}}}, "x_redraft.sede"),
        ({"extra_body": {"x_redraft": {"guidance": 0.5}}}, "guidance"),
        ({"extra_body": {"x_redraft": {"again_of": "nothing"}}}, None),
    ],
)
def test_wrong_values_name_themselves(client: openai.OpenAI, wrong: dict[str, Any], param: str | None) -> None:
    kind = openai.NotFoundError if param is None else openai.BadRequestError
    with pytest.raises(kind) as error:
        client.images.generate(**{"prompt": "a red star", **wrong})
    assert error.value.param == param
    assert error.value.type in ("invalid_request_error", "not_found_error")


@pytest.mark.parametrize(
    "body", ['{"prompt": "\\ud800"}', '{"prompt": "a", "model": "\\udc00"}', '{"prompt": NaN}', "[]"]
)
def test_bodies_that_no_client_sends(painting: PaintingStudio, body: str) -> None:
    with painting.client("ann") as ann:
        answer = ann.post("/v1/images/generations", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text


def test_what_older_and_careless_clients_send_is_taken(client: openai.OpenAI) -> None:
    for extra in (
        {"response_format": {}},
        {"response_format": None, "style": "vivid", "user": "u1"},
        {"unheard_of": 1},
    ):
        answer = client.images.generate(prompt="a red star", extra_body={**QUICK, **extra})
        assert answer.data is not None
        assert answer.data[0].b64_json
    assert client.images.generate(prompt="a red star", model="gpt-image-2", extra_body=QUICK).data


def test_errors_arrive_as_the_errors_of_the_client(client: openai.OpenAI, painting: PaintingStudio) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(prompt="a red star", model="no-such-model")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert "champion" in missing.value.message
    stranger = openai.OpenAI(base_url=f"{painting.running.url}/v1", api_key="rd_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.images.generate(prompt="a red star")
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_full_queue_is_a_rate_limit_error(client: openai.OpenAI, painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        jobs = []
        wish = {"prompt": "a red star", "n": 10, "steps": 100, "ask": "never"}
        for _ in range(8):
            answer = ann.post("/api/v1/jobs", json=wish)
            if answer.status_code != 202:
                break
            jobs.append(answer.json()["id"])
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "queue_full"
        with pytest.raises(openai.RateLimitError) as full:
            client.images.generate(prompt="a red star", n=10)
        assert int(full.value.response.headers["retry-after"]) >= 1
        with painting.client("bob") as bob:
            assert bob.post("/api/v1/jobs", json={"prompt": "a", "steps": 1, "ask": "never"}).status_code == 202
            jobs_of_bob = bob.post("/api/v1/jobs", json={**wish, "n": 10})
            jobs_full = [jobs_of_bob, *(bob.post("/api/v1/jobs", json=wish) for _ in range(3))]
            refused = [answer for answer in jobs_full if answer.status_code == 503]
            assert refused, [answer.status_code for answer in jobs_full]
            assert refused[0].json()["error"]["code"] == "queue_full"
            for answer in jobs_full:
                if answer.status_code == 202:
                    bob.delete(f"/api/v1/jobs/{answer.json()['id']}")
        for job in jobs:
            assert ann.delete(f"/api/v1/jobs/{job}").json()["state"] == "cancelled"


def test_who_goes_away_cancels_the_request(client: openai.OpenAI, painting: PaintingStudio) -> None:
    long: dict[str, Any] = {
        "prompt": "a red star",
        "n": 10,
        "extra_body": {"x_redraft": {"steps": 100, "ask": "never"}},
    }
    with painting.client("ann") as ann:
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.5).images.generate(**long)
        timed_out = ann.get("/api/v1/jobs", params={"limit": 1}).json()["jobs"][0]
        stream = client.images.generate(**long, stream=True, partial_images=1)
        next(iter(stream))
        left = ann.get("/api/v1/jobs", params={"limit": 1}).json()["jobs"][0]
        stream.close()
        for job in (timed_out, left):
            deadline = time.monotonic() + 20
            while (state := ann.get(f"/api/v1/jobs/{job['id']}").json()["state"]) != "cancelled":
                assert state in ("queued", "running"), state
                assert time.monotonic() < deadline, "nobody waits for it, and it is painted all the same"
                time.sleep(0.1)


def test_an_idempotency_key_makes_one_request_of_two(client: openai.OpenAI) -> None:
    headers = {"Idempotency-Key": "only-once"}
    first, second = (
        client.images.generate(prompt="a red star", extra_body=QUICK, extra_headers=headers) for _ in range(2)
    )
    assert first.model_dump()["x_redraft"]["job"] == second.model_dump()["x_redraft"]["job"]
    assert first.data == second.data or (
        first.data and second.data and first.data[0].b64_json == second.data[0].b64_json
    )
    with pytest.raises(openai.ConflictError):
        client.images.generate(prompt="a blue ring", extra_body=QUICK, extra_headers=headers)
