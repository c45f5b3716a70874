"""What can be set about the studio: one typed table, `[studio]` of a TOML file. Reads no file and checks no password.

Off loopback nothing starts without authentication: that rule is here, so that no way of starting goes around it.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from redraft.core.config import Config
from redraft.core.errors import unknown_name
from redraft.feedback.asks import AskPolicy
from redraft.feedback.duel_asks import DuelPolicy
from redraft.feedback.form_presets import DEFAULT_PRESET, PRESETS, Preset
from redraft.feedback.points import PointsPolicy
from redraft.feedback.raters import RaterPolicy
from redraft.studio.engine.settings import EngineSettings

Positive = Annotated[int, Field(ge=1)]


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


Network = Annotated[str, AfterValidator(_network)]
"""An address or a network such as 10.0.0.0/8."""


class ProxySettings(Config):
    """A reverse proxy that has checked who somebody is and says so in a header. Believed from `trusted` only."""

    trusted: tuple[Network, ...] = ()
    user_header: str = ""
    """Header with the person's name, such as X-Forwarded-User; empty: the proxy only forwards addresses."""
    create_accounts: bool = True
    """Whether a name that was never seen gets an account."""

    @model_validator(mode="after")
    def _believes_somebody(self) -> Self:
        if self.user_header and not self.trusted:
            raise ValueError("proxy.user_header needs proxy.trusted: name the proxy's address or network")
        return self


class OidcSettings(Config):
    """Single sign-on by OpenID Connect (extra `oidc`). Off while `issuer` is empty."""

    issuer: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    """A file that holds the secret; secrets stand in no configuration."""
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = "preferred_username"
    create_accounts: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("oidc.issuer needs oidc.client_id: register the studio with the identity provider")
        if self.issuer and urlsplit(self.issuer).scheme != "https" and not is_loopback(urlsplit(self.issuer).hostname):
            raise ValueError(f"oidc.issuer {self.issuer!r} must begin with https://")
        return self


class AccountSettings(Config):
    """Local accounts and sessions."""

    least_password: Annotated[int, Field(ge=8, le=128)] = 10
    session_days: Positive = 30
    idle_days: Positive = 7
    invitation_days: Positive = 7
    wrong_logins: Positive = 10
    """Of one name from one address in `login_minutes`; five times as many of an address, ten times of a name."""
    login_minutes: Positive = 15


class LimitSettings(Config):
    """How large a request may be and how many may come; what one may paint is in `[studio.engine]`."""

    body_bytes: Positive = 1_048_576
    daily_pictures: Positive = 500
    """Pictures of one person a day, before what a tier adds."""
    requests_per_minute: Positive = 1200
    """Of one person. The one person of an open studio is not limited."""
    address_requests_per_minute: Positive = 2400
    """Of one address, whoever asks."""
    wrong_keys_per_minute: Positive = 30
    """Unknown keys of one address."""


class RetentionSettings(Config):
    """How long things are kept, in days; None: for good."""

    prompt_days: Positive | None = None
    picture_days: Positive | None = None
    """Pictures that are nobody's favourite, with what refers to them; what was answered about them stays."""
    picture_url_minutes: Positive = 60
    """How long the signed URL of a picture opens it."""


class StudioSettings(Config):
    """The studio's configuration. Every default is that of one person on one machine."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8188
    """0: any free one."""
    public_url: str = ""
    """How browsers reach the studio, such as https://paint.example.org, where that is not http://host:port."""
    workspace: Path = Path("redraft-workspace")
    database_url: str | None = None
    authentication: Literal["auto", "open", "accounts"] = "auto"
    """open: everybody who reaches it is one person; only on loopback. auto: open there, refused elsewhere."""
    proxy: ProxySettings = ProxySettings()
    oidc: OidcSettings = OidcSettings()
    accounts: AccountSettings = AccountSettings()
    limits: LimitSettings = LimitSettings()
    engine: EngineSettings = EngineSettings()
    forms: str = DEFAULT_PRESET
    """The preset of forms, one of `feedback.form_presets.PRESETS` or "own"; it says whether there are points."""
    own: Preset | None = None
    """A preset of your own, in the words of the others, `[studio.own]`; used with `forms = "own"`."""
    more_facets: tuple[str, ...] = ()
    """Sliders besides the six, such as temporal_coherence."""
    asks: AskPolicy = AskPolicy()
    trials: DuelPolicy = DuelPolicy()
    points: PointsPolicy = PointsPolicy()
    raters: RaterPolicy = RaterPolicy()
    retention: RetentionSettings = RetentionSettings()
    log_prompts: bool = False
    """Whether the log holds what people ask for. Tell them if it does."""

    @model_validator(mode="after")
    def _is_closed_off_loopback(self) -> Self:
        named = bool(self.proxy.user_header or self.oidc.issuer)
        if self.authentication == "open" and named:
            raise ValueError("authentication = 'open' does not go with proxy.user_header or oidc: set 'accounts'")
        if is_loopback(self.host) or self.authentication == "accounts" or named:
            return self
        raise ValueError(
            f"host {self.host!r} can be reached by others, and authentication is {self.authentication!r}: anybody "
            "could paint, read and rate as you. Set authentication = 'accounts' (--auth accounts), configure "
            "proxy or oidc, or keep to 127.0.0.1"
        )

    @model_validator(mode="after")
    def _forms_are_known(self) -> Self:
        if self.forms == "own" and self.own is None:
            raise ValueError("forms = 'own' needs the table [studio.own]: say there what is asked, and the thanks")
        if self.forms != "own" and self.own is not None:
            raise ValueError(f"[studio.own] is there and forms is {self.forms!r}: set forms = 'own', or leave it out")
        if self.forms not in (*PRESETS, "own"):
            raise ValueError(str(unknown_name("preset of forms", self.forms, (*PRESETS, "own"))))
        self._preset()
        return self

    @model_validator(mode="after")
    def _has_a_readable_url(self) -> Self:
        parts = urlsplit(self.public_url)
        if self.public_url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
            raise ValueError(f"public_url {self.public_url!r} must look like https://paint.example.org, without a path")
        return self

    @property
    def preset(self) -> Preset:
        """How people are asked and thanked."""
        return self._preset()

    def _preset(self) -> Preset:
        chosen = PRESETS[self.forms] if self.own is None else self.own
        if not self.more_facets:
            return chosen
        return Preset.model_validate({**chosen.model_dump(), "facets": (*chosen.facets, *self.more_facets)})

    @property
    def open(self) -> bool:
        """Whether everybody who reaches the studio is its one person."""
        named = bool(self.proxy.user_header or self.oidc.issuer)
        return self.authentication != "accounts" and not named

    @property
    def url(self) -> str:
        """How browsers reach the studio, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the studio by https."""
        return self.public_url.startswith("https://")


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can reach `host`."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
