"""Words a draft as the JSON object of the contract: optional fields omitted or null, times in any legal form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random

from simulator.places import Place
from simulator.plan import Campaign, Device, Draft, Material
from sori.events import AUTHENTICATION, CLICK

Json = dict[str, object]
_SEOUL = timezone(timedelta(hours=9))
_ABSENT_SHARE = 0.03  # of each optional field; half of them null, half left out


class PayloadWriter:
    """Draft in, body out. Bodies share their nested objects, so nobody may change them."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._geolocations: dict[Place, Json] = {}
        self._campaigns: dict[str, Json] = {}
        self._second = -1
        self._second_text = ""

    def body(self, draft: Draft) -> tuple[int, Json]:
        """The event time as written (milliseconds, floor) and the body without `timestamp`."""
        at_ms, created_at = self._created_at(draft.at_ms)
        body: Json = {"event": draft.event, "account_id": draft.account_id, "created_at": created_at}
        if draft.campaign is not None:
            body["activity_id"] = draft.activity_id
        if draft.device is not None:
            self._viewer(body, draft, draft.device)
        if draft.campaign is not None:
            body["campaign"] = self._campaign(draft.campaign)
            self._material(body, draft.material)
            if self._rng.random() < 0.1:
                _legacy(body, draft)
        elif draft.material is not None:
            body["material"] = self._entity(draft.material)
        return at_ms, body

    def _viewer(self, body: Json, draft: Draft, device: Device) -> None:
        self._optional(body, "device_id", device.id)
        self._optional(body, "platform", device.platform)
        self._optional(body, "metadata", self._metadata(draft))
        uncertain = self._rng.random()
        if uncertain < 0.005:
            self._optional(body, "geolocation", None)
        elif uncertain < 0.02:
            body["geolocation"] = {"viewer_country": "Unknown", "viewer_region": "Unknown", "viewer_city": "Unknown"}
        elif uncertain < 0.03:
            country = device.place.country
            body["geolocation"] = {"viewer_country": country, "viewer_region": "Unknown", "viewer_city": "Unknown"}
        else:
            body["geolocation"] = self._geolocation(device.place)

    def _metadata(self, draft: Draft) -> Json | None:
        if self._rng.random() < _ABSENT_SHARE:
            return None
        if draft.event == AUTHENTICATION:
            return {"app_version": self._rng.choice(("1.8.0", "1.8.1", "2.0.0")), "session": draft.session}
        if draft.event == CLICK and self._rng.random() < 0.3:
            return {"session": draft.session, "utm_source": self._rng.choice(("push", "banner", "email"))}
        return {"session": draft.session}

    def _material(self, body: Json, material: Material | None) -> None:
        if material is not None:
            body["material"] = self._entity(material)
        elif self._rng.random() < 0.5:
            body["material"] = None

    def _campaign(self, campaign: Campaign) -> Json:
        if campaign.id not in self._campaigns:
            self._campaigns[campaign.id] = self._entity(campaign)
        return self._campaigns[campaign.id]

    def _geolocation(self, place: Place) -> Json:
        if place not in self._geolocations:
            names = {"viewer_country": place.country, "viewer_region": place.region, "viewer_city": place.city}
            self._geolocations[place] = dict(names)
        return self._geolocations[place]

    def _entity(self, of: Campaign | Material) -> Json:
        entity: Json = {"id": of.id, "name": of.name, "tags": list(of.tags)}
        self._optional(entity, "image", of.image)
        return entity

    def _optional(self, body: Json, name: str, value: object) -> None:
        if value is not None:
            body[name] = value
        elif self._rng.random() < 0.5:
            body[name] = None

    def _created_at(self, at_ms: int) -> tuple[int, str]:
        second, millis = divmod(at_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        style = self._rng.random()
        if style < 0.88:
            return at_ms, f"{self._second_text}.{millis:03d}Z"
        return self._rare_style(second, millis, style)

    def _rare_style(self, second: int, millis: int, style: float) -> tuple[int, str]:
        text = self._second_text
        if style < 0.91:
            return second * 1000, f"{text}Z"
        if style < 0.93:
            return second * 1000 + millis // 100 * 100, f"{text}.{millis // 100}Z"
        at_ms = second * 1000 + millis
        if style < 0.96:
            return at_ms, f"{text}.{millis:03d}{self._rng.randrange(1000):03d}Z"
        if style < 0.97:
            return at_ms, f"{text}.{millis:03d}{self._rng.randrange(1_000_000):06d}Z"
        if style < 0.985:
            return at_ms, f"{text}.{millis:03d}+00:00"
        return at_ms, datetime.fromtimestamp(second, _SEOUL).strftime(f"%Y-%m-%dT%H:%M:%S.{millis:03d}+09:00")


def _legacy(body: Json, draft: Draft) -> None:
    """The deprecated duplicates, which SORI still emits."""
    body["event_type"] = draft.event
    if draft.campaign is not None:
        body["campaign_id"] = draft.campaign.id
        body["campaign_name"] = draft.campaign.name
    if draft.material is not None:
        body["material_id"] = draft.material.id
        body["material_name"] = draft.material.name
