"""Alerts over the API: seen, subscribed to, tried."""

import pytest

from shared.domain.alerts.rules import RULES
from shared.errors import SecretError
from shared.ports.alerts import WebhookAnswer
from shared.ports.health import DestinationTrouble
from shared.services.alerts.evaluate import AlertRun
from shared.services.alerts.subscriptions import MOST
from tests.kit.api import Api
from tests.kit.builders import NOW
from tests.kit.world import World

PATH = "/api/alert-subscriptions"
URL = "https://hooks.example.com/secret-path"


async def test_a_subscription_is_made_changed_and_removed(api: Api) -> None:
    created = await api.expect(201, "POST", PATH, json={"url": URL, "events": ["dead-rows"]})
    subscription, secret = created["subscription"], created["secret"]
    assert subscription == {
        "id": subscription["id"],
        "url": URL,
        "events": ["dead-rows"],
        "destinations": None,
        "thresholds": {},
        "format": "cloudevent",
    }
    own = f"{PATH}/{subscription['id']}"
    answer = await api.get(own)
    assert (answer.json(), secret in answer.text) == (subscription, False)
    assert await api.expect(200, "GET", PATH) == {"subscriptions": [subscription]}

    wanted = subscription | {"destinations": ["d"], "thresholds": {"dead-rows": 5}, "format": "slack"}
    tag = answer.headers["etag"]
    changed = await api.expect(200, "PUT", own, json=wanted, headers={"If-Match": tag})
    assert changed == wanted
    await api.expect(412, "PUT", own, json=wanted, headers={"If-Match": tag})
    await api.expect(412, "DELETE", own, headers={"If-Match": tag})
    assert list(api.world.secrets.secrets) == [f"profile-relay--alert-{subscription['id']}"]
    await api.expect(204, "DELETE", own)
    assert api.world.secrets.secrets == {}
    for method, path in [("GET", own), ("DELETE", own), ("POST", f"{own}/test")]:
        await api.expect(404, method, path)
    await api.expect(404, "PUT", own, json=wanted)
    noted = [detail for entry in api.world.audit.entries.values() for detail in entry.details]
    assert secret not in str(noted)
    assert URL not in str(noted)


async def test_what_is_left_out_is_all(api: Api) -> None:
    created = await api.expect(201, "POST", PATH, json={"url": URL})
    assert created["subscription"]["events"] == list(RULES)
    assert created["subscription"]["destinations"] is None


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "http://hooks.example.com/"}, "/url"),
        ({"url": "http://127.0.0.1:8080/"}, "/url"),
        ({"url": "https://169.254.169.254/"}, "/url"),
        ({"url": "https://user@hooks.example.com/"}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["nothing"]}, "/events"),
        ({"url": URL, "destinations": ["D'"]}, "/destinations"),
        ({"url": URL, "thresholds": {"nothing": 1}}, "/thresholds"),
        ({"url": URL, "thresholds": {"failure-rate": 1.5}}, "/thresholds"),
        ({"url": URL, "thresholds": {"dead-rows": -1}}, "/thresholds"),
        ({"url": URL, "thresholds": {"dead-rows": "1"}}, "/thresholds"),
        ({"url": URL, "format": "fax"}, "/format"),
        ({"url": URL, "id": "mine"}, "/id"),
        ({"url": URL, "secret": "mine"}, "/secret"),
    ],
)
async def test_what_cannot_be_subscribed(api: Api, document: object, place: str) -> None:
    problem = await api.expect(422, "POST", PATH, json=document)
    assert problem["detail"].startswith(place)
    assert (api.world.alerts.subscriptions.rows, api.world.secrets.secrets) == ({}, {})


async def test_without_a_place_for_secrets_there_are_no_subscriptions(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.world.secrets, "writable", False)
    problem = await api.expect(409, "POST", PATH, json={"url": URL})
    assert "set the app setting KEY_VAULT_URI" in problem["detail"]
    assert api.world.alerts.subscriptions.rows == {}


async def test_where_the_place_for_secrets_does_not_answer_nothing_is_done(api: Api) -> None:
    api.world.secrets.failure = SecretError("Key Vault: no answer")
    await api.expect(503, "POST", PATH, json={"url": URL})
    assert api.world.alerts.subscriptions.rows == {}


async def test_there_is_an_end_to_subscriptions(api: Api) -> None:
    for _ in range(MOST):
        await api.expect(201, "POST", PATH, json={"url": URL})
    problem = await api.expect(422, "POST", PATH, json={"url": URL})
    assert f"at most {MOST}" in problem["detail"]


@pytest.mark.parametrize(
    "answer", [WebhookAnswer(204, None), WebhookAnswer(500, "HTTP 500"), WebhookAnswer(None, "no answer within 10 s")]
)
async def test_a_test_event(api: Api, answer: WebhookAnswer) -> None:
    created = await api.expect(201, "POST", PATH, json={"url": URL})
    api.world.webhooks.answers = [answer]
    tested = await api.expect(200, "POST", f"{PATH}/{created['subscription']['id']}/test")
    assert tested == {"delivered": answer.problem is None, "status": answer.status, "problem": answer.problem}
    ((url, headers, body),) = api.world.webhooks.posted
    assert (url, b"profile-relay.alert.test" in body) == (URL, True)
    assert headers["content-type"] == "application/cloudevents+json"
    assert api.world.alert_deliveries.waiting == []


async def test_alerts_are_listed(api: Api, world: World) -> None:
    created = await api.expect(201, "POST", PATH, json={"url": URL})
    assert (await api.expect(200, "GET", "/api/alerts"))["alerts"] == []
    await world.health.put(DestinationTrouble("d", recovering=False, since=NOW, error="down"))
    await world.worker.evaluate_alerts.run(AlertRun())
    listed = await api.expect(200, "GET", "/api/alerts")
    (alert,) = listed["alerts"]
    assert (alert["state"], alert["destinationId"], alert["rule"]) == ("open", "d", "destination-down")
    assert [rule["id"] for rule in listed["rules"]] == list(RULES)
    (delivery,) = listed["deliveries"]
    assert delivery == {
        "eventId": f"{alert['id']}-opened",
        "subscriptionId": created["subscription"]["id"],
        "state": "pending",
        "attempts": 0,
        "lastAttemptAt": None,
        "error": None,
    }
