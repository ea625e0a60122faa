"""Whatever is wrong with a setting is named with it, with what stops for it, and with nothing of its value."""

import json
import re
from collections.abc import Mapping

import pytest

from shared.domain.setting_problem import CHANGES, EVERY_QUEUE, EVERY_TIMER, EVERYTHING, SENDING
from shared.domain.setting_problems import setting_problems
from shared.domain.timers import TIMERS
from tests.kit.app_settings import DEPLOYED
from tests.kit.environments import CHECKOUT

KEY = "c2VjcmV0LWtleS1vZi1hLXN0b3JhZ2UtYWNjb3VudA=="
STORAGE = f"DefaultEndpointsProtocol=https;AccountName=relay;AccountKey={KEY};EndpointSuffix=core.windows.net"
SIGNED = "TableEndpoint=https://relay.table.core.windows.net;SharedAccessSignature=sv=2025-01-05&sig=x"
HUB = f"Endpoint=sb://relay.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={KEY}"
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/x)"
GUID = "4c0f8a5e-0000-4000-8000-000000000001"
NOTHING = ""
WATCHES = "watch_destinations and drain_poison_queues"
QUEUE, INSIGHTS = "PROFILE_CHANGES_QUEUE", "APPLICATIONINSIGHTS_CONNECTION_STRING"
NAMESPACE = "OTHER__fullyQualifiedNamespace"
HOST_QUEUES = "AzureFunctionsJobHost__extensions__queues__"
ROUTE_PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"
LOCK_PERIOD = "AzureFunctionsJobHost__singleton__listenerLockPeriod"
IDENTITY = {
    "RELAY_STORAGE": "",
    "RELAY_STORAGE__tableServiceUri": "https://relay.table.core.windows.net",
    "RELAY_STORAGE__queueServiceUri": "https://relay.queue.core.windows.net",
}

WRONG: list[tuple[Mapping[str, str], str, str]] = [
    ({"RELAY_STORAGE": ""}, "RELAY_STORAGE", EVERYTHING),
    ({"RELAY_STORAGE": "relay"}, "RELAY_STORAGE", EVERYTHING),
    ({"RELAY_STORAGE": REFERENCE}, "RELAY_STORAGE", EVERYTHING),
    ({"RELAY_STORAGE": f" {STORAGE}"}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"RELAY_STORAGE": SIGNED}, "RELAY_STORAGE", EVERYTHING),
    ({"RELAY_STORAGE": SIGNED.replace("Table", "Queue")}, "RELAY_STORAGE", EVERYTHING),
    ({"RELAY_STORAGE": f"{STORAGE}\n"}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"RELAY_STORAGE": STORAGE.replace(";", "; ")}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"RELAY_STORAGE": f"{STORAGE};Hub=relay"}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"RELAY_STORAGE": STORAGE.replace("https", "ftp")}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"RELAY_STORAGE": STORAGE.replace("core.windows.net", "")}, "RELAY_STORAGE", EVERY_QUEUE),
    ({"AzureWebJobsStorage": f"{STORAGE} "}, "AzureWebJobsStorage", EVERY_TIMER),
    ({"AzureWebJobsRELAY_STORAGE": STORAGE}, "AzureWebJobsRELAY_STORAGE", EVERY_QUEUE),
    ({"ConnectionStrings__RELAY_STORAGE": STORAGE}, "ConnectionStrings__RELAY_STORAGE", EVERY_QUEUE),
    ({"CUSTOMCONNSTR_RELAY_STORAGE": STORAGE}, "CUSTOMCONNSTR_RELAY_STORAGE", EVERY_QUEUE),
    ({"Relay_Storage__queueServiceUri": "relay"}, "Relay_Storage__queueServiceUri", EVERY_QUEUE),
    ({"azurewebjobsstorage": STORAGE}, "azurewebjobsstorage", EVERY_TIMER),
    ({"profile_changes_queue": "others"}, "profile_changes_queue", CHANGES),
    ({"Sweep_Schedule": "0 0 4 * * *"}, "Sweep_Schedule", "sweep_profiles"),
    (IDENTITY | {"RELAY_STORAGE__queueServiceUri": ""}, "RELAY_STORAGE__queueServiceUri", EVERYTHING),
    (
        IDENTITY | {"RELAY_STORAGE__tableServiceUri": "relay.table.core.windows.net"},
        "RELAY_STORAGE__tableServiceUri",
        EVERYTHING,
    ),
    (
        IDENTITY | {"RELAY_STORAGE__blobServiceUri": "http://relay.blob.core.windows.net"},
        "RELAY_STORAGE__blobServiceUri",
        EVERYTHING,
    ),
    (
        IDENTITY | {"RELAY_STORAGE__tableServiceUri": "https://[relay"},
        "RELAY_STORAGE__tableServiceUri",
        EVERYTHING,
    ),
    (IDENTITY | {"RELAY_STORAGE__clientId": GUID}, "RELAY_STORAGE__credential", EVERY_QUEUE),
    (
        IDENTITY | {"RELAY_STORAGE__clientId": "relay", "RELAY_STORAGE__credential": "managedidentity"},
        "RELAY_STORAGE__clientId",
        EVERYTHING,
    ),
    ({"AzureWebJobsStorage": ""}, "AzureWebJobsStorage", EVERY_TIMER),
    ({"AzureWebJobsStorage": REFERENCE}, "AzureWebJobsStorage", EVERY_TIMER),
    ({"AzureWebJobsStorage": "relay"}, "AzureWebJobsStorage", EVERY_TIMER),
    (
        {"AzureWebJobsStorage": "", "AzureWebJobsStorage__blobServiceUri": "relay"},
        "AzureWebJobsStorage__blobServiceUri",
        EVERY_TIMER,
    ),
    ({QUEUE: ""}, QUEUE, CHANGES),
    ({QUEUE: "Profile-Changes"}, QUEUE, CHANGES),
    ({QUEUE: "profile--changes"}, QUEUE, CHANGES),
    ({QUEUE: "a" * 57}, QUEUE, CHANGES),
    ({QUEUE: "profile-changes-poison"}, QUEUE, CHANGES),
    ({QUEUE: REFERENCE}, QUEUE, CHANGES),
    ({"WATCH_SCHEDULE": ""}, "WATCH_SCHEDULE", WATCHES),
    ({"WATCH_SCHEDULE": "often"}, "WATCH_SCHEDULE", WATCHES),
    ({"BACKFILL_SCHEDULE": "0 60 * * * *"}, "BACKFILL_SCHEDULE", "run_backfill"),
    ({"SWEEP_SCHEDULE": "0 0 3 30 2 *"}, "SWEEP_SCHEDULE", "sweep_profiles"),
    ({"ALERT_SCHEDULE": "0 0 * * * * *"}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": STORAGE}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": REFERENCE}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": "99999999999:00:00"}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": "9999999:00:00"}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": "0 * * * * *\n"}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": "0\t* * * * *"}, "ALERT_SCHEDULE", "evaluate_alerts"),
    ({"ALERT_SCHEDULE": "* * * * *"}, "ALERT_SCHEDULE", NOTHING),
    ({"WATCH_SCHEDULE": "00:00:30"}, "WATCH_SCHEDULE", NOTHING),
    ({"WATCH_SCHEDULE": "00:00:30", "WEBSITE_SKU": "FlexConsumption"}, "WATCH_SCHEDULE", WATCHES),
    ({"TZ": "Europe/Berlin"}, "TZ", NOTHING),
    ({"WEBSITE_TIME_ZONE": "Europe/Berlin"}, "WEBSITE_TIME_ZONE", NOTHING),
    ({"AzureWebJobs.watch_destinations.Disabled": "true"}, "AzureWebJobs.watch_destinations.Disabled", NOTHING),
    ({"AzureWebJobs_retry_export_Disabled": "1"}, "AzureWebJobs_retry_export_Disabled", NOTHING),
    ({"azurewebjobs.Export_Profile_Changes.disabled": "True"}, "azurewebjobs.Export_Profile_Changes.disabled", NOTHING),
    ({"AzureFunctionsJobHost__functions__0": "console"}, "AzureFunctionsJobHost__functions__0", NOTHING),
    ({"EVENTHUBS": "relay"}, "EVENTHUBS", SENDING),
    ({"EVENTHUBS": REFERENCE}, "EVENTHUBS", SENDING),
    (
        {"OTHER__fullyQualifiedNamespace": "sb://relay.servicebus.windows.net"},
        "OTHER__fullyQualifiedNamespace",
        SENDING,
    ),
    ({"OTHER__clientId": "relay"}, "OTHER__clientId", "what connects by OTHER"),
    ({"KEY_VAULT_URI": "contoso"}, "KEY_VAULT_URI", EVERYTHING),
    ({"KEY_VAULT_URI": "https://[contoso"}, "KEY_VAULT_URI", EVERYTHING),
    (
        {"KEY_VAULT_URI": "https://contoso.vault.azure.net", "KEY_VAULT_URI__clientId": "relay"},
        "KEY_VAULT_URI__clientId",
        "what connects by KEY_VAULT_URI",
    ),
    ({"LOCAL_SECRETS_FILE": "secrets.json"}, "LOCAL_SECRETS_FILE", EVERYTHING),
    ({"RETRY_DELAYS": "abc"}, "RETRY_DELAYS", EVERYTHING),
    ({"SEND_TIMEOUT": "0"}, "SEND_TIMEOUT", EVERYTHING),
    ({"UPLOAD_URL_SECONDS": "1e300"}, "UPLOAD_URL_SECONDS", EVERYTHING),
    ({"MESSAGE_LEASE_SECONDS": "604801"}, "MESSAGE_LEASE_SECONDS", EVERYTHING),
    ({"CONNECTIONS_PER_HUB": "1.5"}, "CONNECTIONS_PER_HUB", EVERYTHING),
    ({"PROFILE_ACCOUNTS": "0-1022:RELAY_STORAGE"}, "PROFILE_ACCOUNTS", EVERYTHING),
    ({"PROFILE_ACCOUNTS": "0-511:RELAY_STORAGE,512-1023:TWO"}, "TWO", EVERYTHING),
    ({"EGRESS_ADDRESSES": "20.50.1"}, "EGRESS_ADDRESSES", EVERYTHING),
    ({"PUBLIC_ORIGINS": "relay.contoso.com"}, "PUBLIC_ORIGINS", EVERYTHING),
    ({INSIGHTS: ""}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: GUID}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: f'"InstrumentationKey={GUID}"'}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: "InstrumentationKey=soon"}, INSIGHTS, NOTHING),
    ({INSIGHTS: f"InstrumentationKey={GUID};IngestionEndpoint=relay"}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: f"InstrumentationKey={GUID};LiveEndpoint=live"}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: f"InstrumentationKey={GUID};InstrumentationKey={GUID}"}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: f"InstrumentationKey={GUID};live"}, INSIGHTS, EVERYTHING),
    ({INSIGHTS: f"InstrumentationKey={GUID};IngestionEndpoint=http://127.0.0.1:9"}, INSIGHTS, NOTHING),
    ({"FUNCTIONS_WORKER_RUNTIME": "python "}, "FUNCTIONS_WORKER_RUNTIME", EVERYTHING),
    ({"FUNCTIONS_WORKER_RUNTIME": "node"}, "FUNCTIONS_WORKER_RUNTIME", EVERYTHING),
    ({"FUNCTIONS_WORKER_PROCESS_COUNT": "11"}, "FUNCTIONS_WORKER_PROCESS_COUNT", EVERYTHING),
    ({"FUNCTIONS_WORKER_PROCESS_COUNT": "two"}, "FUNCTIONS_WORKER_PROCESS_COUNT", EVERYTHING),
    ({"PYTHON_THREADPOOL_THREAD_COUNT": "many"}, "PYTHON_THREADPOOL_THREAD_COUNT", NOTHING),
    ({f"{HOST_QUEUES}batchSize": "33"}, f"{HOST_QUEUES}batchSize", EVERYTHING),
    ({HOST_QUEUES.lower() + "BATCHSIZE": "abc"}, HOST_QUEUES.lower() + "BATCHSIZE", EVERYTHING),
    ({f"{HOST_QUEUES}visibilityTimeout": "-00:00:30"}, f"{HOST_QUEUES}visibilityTimeout", NOTHING),
    ({f"{HOST_QUEUES}visibilityTimeout": "8.00:00:00"}, f"{HOST_QUEUES}visibilityTimeout", NOTHING),
    ({f"{HOST_QUEUES}maxPollingInterval": "00:00:00.010"}, f"{HOST_QUEUES}maxPollingInterval", EVERYTHING),
    ({f"{HOST_QUEUES}messageEncoding": "base64"}, f"{HOST_QUEUES}messageEncoding", EVERYTHING),
    ({"AzureFunctionsJobHost__functionTimeout": "soon"}, "AzureFunctionsJobHost__functionTimeout", EVERYTHING),
    ({LOCK_PERIOD: "00:00:01"}, LOCK_PERIOD, EVERYTHING),
    ({f"{HOST_QUEUES}visibilityTimeout": "soon"}, f"{HOST_QUEUES}visibilityTimeout", EVERYTHING),
    ({f"{HOST_QUEUES}maxPollingInterval": "999999999999"}, f"{HOST_QUEUES}maxPollingInterval", EVERYTHING),
    ({ROUTE_PREFIX: "api"}, ROUTE_PREFIX, EVERYTHING),
    ({"OTEL_TRACES_SAMPLER": "some"}, "OTEL_TRACES_SAMPLER", NOTHING),
    ({"OTEL_TRACES_SAMPLER_ARG": "5"}, "OTEL_TRACES_SAMPLER_ARG", NOTHING),
]


@pytest.mark.parametrize(("changed", "setting", "stops"), WRONG, ids=lambda each: str(each)[:60])
def test_one_wrong_setting_is_named_alone(changed: Mapping[str, str], setting: str, stops: str) -> None:
    (problem,) = setting_problems(DEPLOYED | dict(changed))
    assert (problem.setting, problem.stops, problem.is_error) == (setting, stops, bool(stops))
    assert str(problem).startswith(f"app setting {setting}: ")
    assert KEY not in str(problem)


def test_nothing_is_wrong_where_nothing_is() -> None:
    values = json.loads((CHECKOUT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    for environment in (
        values,
        DEPLOYED,
        DEPLOYED | IDENTITY,
        DEPLOYED | {"RELAY_STORAGE__clientId": "relay"},
        DEPLOYED | {"AzureFunctionsJobHost__functionTimeout": "-1", LOCK_PERIOD: "00:00:30"},
        DEPLOYED | {"AzureWebJobs__retry_export__Disabled": "1", "AzureWebJobs.sweep_profiles.Disabled": " true "},
        DEPLOYED | {"RELAY_STORAGE": "UseDevelopmentStorage=true", "AzureWebJobsStorage": f"{STORAGE};"},
        DEPLOYED | {"RELAY_STORAGE": STORAGE.replace(KEY, f" {KEY} ")},
        DEPLOYED | {"RELAY_STORAGE": f"{SIGNED};QueueEndpoint=https://relay.queue.core.windows.net "},
        DEPLOYED | {"TZ": "UTC", INSIGHTS: f"InstrumentationKey={GUID}"},
    ):
        assert setting_problems(environment) == []


def test_all_that_is_wrong_is_told_at_once_and_what_stops_functions_first() -> None:
    wrong = {"TZ": "Asia/Tokyo", "RETRY_DELAYS": "abc", "SEND_TIMEOUT": "soon", "ALERT_SCHEDULE": ""}
    found = setting_problems(DEPLOYED | wrong)
    assert {problem.setting for problem in found} == wrong.keys()
    assert found[-1].setting == "TZ"
    missing = {problem.setting for problem in setting_problems({})}
    assert missing == {"RELAY_STORAGE", "AzureWebJobsStorage", QUEUE, *TIMERS.values()}


def test_the_functions_that_are_named_are_those_that_need_the_setting() -> None:
    """Each timer trigger, and no other, is among the timers, by the setting of its schedule."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    by_schedule = re.findall(r'function_name\("(\w+)"\)\n@blueprint\.timer_trigger\([^)]*schedule="%(\w+)%"', sources)
    assert dict(by_schedule) == dict(TIMERS)
    assert sources.count(".timer_trigger(") == len(TIMERS)
    by_queue = dict(
        re.findall(r'function_name\("(\w+)"\)\n@blueprint\.queue_trigger\([^)]*queue_name="([^"]+)"', sources)
    )
    assert by_queue[CHANGES] == f"%{QUEUE}%"
