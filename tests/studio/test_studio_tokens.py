"""Signed texts: ask tokens, picture links, invitations. Forged, foreign, expired and misused ones are refused."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from redraft.core.errors import DamagedError
from redraft.studio.errors import Refused
from redraft.studio.identity.signing import SigningKeys
from redraft.studio.identity.tokens import (
    AskToken,
    Invitation,
    check_picture,
    read_ask,
    read_invitation,
    sign_ask,
    sign_invitation,
    sign_picture,
)

NOW = 1_000_000.0
TOKEN = AskToken(
    id="t1", user="ann", kind="duel", subject="d1", positions=("left", "right"), form="duel", policy="p1", ask="a1",
    expires_at=NOW + 60,
)  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    return SigningKeys.load(tmp_path)


def refused(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        action()
    return error.value.status, error.value.code


def test_a_token_says_again_what_was_asked(keys: SigningKeys) -> None:
    assert read_ask(keys, sign_ask(keys, TOKEN), user="ann", at=NOW) == TOKEN
    bare = replace(TOKEN, positions=(), ask=None)
    assert read_ask(keys, sign_ask(keys, bare), user="ann", at=NOW) == bare


def test_every_changed_character_is_noticed(keys: SigningKeys) -> None:
    text = sign_ask(keys, TOKEN)
    for place, character in enumerate(text):
        other = "A" if character != "A" else "B"
        changed = text[:place] + other + text[place + 1 :]
        # The last character of a base64 text has bits that mean nothing; the signature is compared as text.
        assert refused(lambda changed=changed: read_ask(keys, changed, user="ann", at=NOW)) == (403, "token_forged")
    for wrong in ("", ".", "..", "a.b.c", text[:-1], text + "A", "é" * 20, "x" * 100_000, "\ud800"):
        assert refused(lambda wrong=wrong: read_ask(keys, wrong, user="ann", at=NOW)) == (403, "token_forged")


def test_a_token_of_another_person_and_an_old_one_are_refused(keys: SigningKeys) -> None:
    text = sign_ask(keys, TOKEN)
    assert refused(lambda: read_ask(keys, text, user="bob", at=NOW)) == (403, "token_foreign")
    assert refused(lambda: read_ask(keys, text, user="ann", at=NOW + 60)) == (403, "token_expired")


def test_a_token_of_another_server_is_forged(keys: SigningKeys, tmp_path: Path) -> None:
    other = SigningKeys.load(tmp_path / "other")
    text = sign_ask(other, TOKEN)
    assert refused(lambda: read_ask(keys, text, user="ann", at=NOW)) == (403, "token_forged")
    # With the name of our key before their signature too.
    body, name, signature = text.split(".")
    assert name != keys.current
    relabelled = f"{body}.{keys.current}.{signature}"
    assert refused(lambda: read_ask(keys, relabelled, user="ann", at=NOW)) == (403, "token_forged")


def test_what_was_signed_for_one_purpose_is_no_good_for_another(keys: SigningKeys) -> None:
    invitation = sign_invitation(keys, Invitation(id="i", roles=("admin",), expires_at=NOW + 60))
    assert read_invitation(keys, invitation, at=NOW).roles == ("admin",)
    assert refused(lambda: read_ask(keys, invitation, user="ann", at=NOW)) == (403, "token_forged")
    assert refused(lambda: read_invitation(keys, sign_ask(keys, TOKEN), at=NOW)) == (403, "token_forged")
    assert refused(lambda: read_invitation(keys, invitation, at=NOW + 60)) == (403, "token_expired")


def test_a_picture_link_opens_that_picture_until_then(keys: SigningKeys) -> None:
    query = sign_picture(keys, picture="p1", variant="png", expires_at=NOW + 60, viewer="ann")
    given = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    check_picture(keys, picture="p1", **given, at=NOW)
    for changed in (
        {"variant": "revealed-png"},
        {"expires": str(int(NOW + 9999))},
        {"viewer": "bob"},
        {"viewer": ""},
        {"signature": given["signature"][:-2]},
        {"signature": ""},
        {"expires": "1e9"},
        {"expires": "never"},
    ):
        attempt = {**given, **changed}
        assert refused(lambda attempt=attempt: check_picture(keys, picture="p1", **attempt, at=NOW)) == (
            403, "token_forged",
        )  # fmt: skip
    assert refused(lambda: check_picture(keys, picture="p2", **given, at=NOW)) == (403, "token_forged")
    assert refused(lambda: check_picture(keys, picture="p1", **given, at=NOW + 60)) == (403, "token_expired")


def test_parts_cannot_be_moved_from_one_field_into_the_next(keys: SigningKeys) -> None:
    query = parse_qs(sign_picture(keys, picture="p", variant="1x", expires_at=NOW, viewer="v"))
    moved = {"variant": "x", "expires": query["expires"][0], "viewer": "v", "signature": query["signature"][0]}
    assert refused(lambda: check_picture(keys, picture="p1", **moved, at=NOW - 1)) == (403, "token_forged")


def test_the_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first, second = SigningKeys.load(tmp_path), SigningKeys.load(tmp_path)
    assert first == second
    path = tmp_path / "secrets" / "signing.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["signing.json"]
    assert len(first.secrets[first.current]) == 32


def test_an_old_key_still_checks_after_a_new_one_signs(tmp_path: Path) -> None:
    old = SigningKeys.load(tmp_path)
    text = sign_ask(old, TOKEN)
    path = tmp_path / "secrets" / "signing.json"
    new = SigningKeys.load(tmp_path / "new")
    kept = json.loads(path.read_text())
    added = json.loads((tmp_path / "new" / "secrets" / "signing.json").read_text())
    path.write_text(json.dumps({"current": new.current, "keys": {**kept["keys"], **added["keys"]}}))
    both = SigningKeys.load(tmp_path)
    assert read_ask(both, text, user="ann", at=NOW) == TOKEN
    assert sign_ask(both, TOKEN) == sign_ask(new, TOKEN)
    assert refused(lambda: read_ask(new, text, user="ann", at=NOW)) == (403, "token_forged")


@pytest.mark.parametrize("text", ["", "{}", '{"current": "a", "keys": {}}', '{"current": "a", "keys": {"a": "AAAA"}}'])
def test_a_damaged_key_file_is_not_replaced_silently(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets" / "signing.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DamagedError, match="holds no signing keys"):
        SigningKeys.load(tmp_path)
    assert path.read_text() == text


def test_blinded_texts_tell_nothing_and_are_known_again(keys: SigningKeys) -> None:
    assert keys.blind("address", "203.0.113.9") == keys.blind("address", "203.0.113.9")
    pairs = (("address", "203.0.113.9"), ("name", "203.0.113.9"), ("address", "x"))
    assert len({keys.blind(purpose, text) for purpose, text in pairs}) == 3
