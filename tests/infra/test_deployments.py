"""What holds for each mode of deployment. Nothing here has seen Azure: docs/deploy.md says what that leaves open."""

import re
from typing import Any

import pytest

from .deployments import FILES, INFRA, NAMES, deployment, parameters, variables_of_azd

ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "2b629674-e913-4c01-ae53-ef4638d8f975": "Azure Event Hubs Data Sender",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
"""All that anybody is given. Whoever adds one says here what it is called, and in docs/deploy.md what it is for."""
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
SECRETS = re.compile(
    r"listKeys|listSas|listSecrets|ConnectionString|password|@secure|primaryKey|\bsharedAccess", re.IGNORECASE
)
EVERYTHING, PLAIN, PRIVATE = (deployment(mode) for mode in ("everything", "plain", "private"))
STORAGE, VAULT, HUBS = "Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults", "Microsoft.EventHub/namespaces"


@pytest.mark.parametrize("mode", NAMES)
def test_every_resource_is_foreseen_by_its_name(mode: str) -> None:
    """So that a what-if shows it. The zones' names have a part that each cloud of Azure has its own of."""
    made = deployment(mode)
    assert made.diagnostics == []
    assert len(made.resources) > 30
    unknown = [each.name for each in made.resources if each.name.startswith("[") and "environment()" not in each.name]
    assert unknown == []
    assert len({each.id for each in made.resources}) == len(made.resources)


def test_each_resource_type_is_used_in_one_version() -> None:
    versions = {(each.type, each.body["apiVersion"]) for mode in NAMES for each in deployment(mode).resources}
    assert len(versions) == len({kind for kind, _ in versions})


def test_what_people_choose_is_described_and_can_be_set_by_azd() -> None:
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    described = re.findall(r"^@description\(.*\)\n(?:@.*\n)*param (\w+) ", text, re.MULTILINE)
    assert described == list(parameters())
    assert variables_of_azd().keys() == parameters().keys()


def test_every_output_of_a_module_is_asked_for() -> None:
    main = (INFRA / "main.bicep").read_text(encoding="utf-8")
    for symbol, path in re.findall(r"^module (\w+) '([\w/.-]+)'", main, re.MULTILINE):
        outputs = set(re.findall(r"^output (\w+) ", (INFRA / path).read_text(encoding="utf-8"), re.MULTILINE))
        assert set(re.findall(rf"\b{symbol}(?:!|\[[^]]+\])?\.outputs\.(\w+)", main)) == outputs, symbol


@pytest.mark.parametrize("mode", NAMES)
def test_only_the_roles_that_are_listed_are_given_and_never_for_the_whole_group(mode: str) -> None:
    for each in deployment(mode).of_type(ASSIGNMENTS):
        assert each.properties["roleDefinitionId"].rpartition("/")[2] in ROLES
        scope = each.id.partition("/providers/Microsoft.Authorization/")[0]
        assert "/providers/" in scope, f"{each.name} would be for {scope}"


def test_upstream_may_put_messages_on_the_queues_of_changes_and_nothing_else() -> None:
    of_upstream = [
        each for each in EVERYTHING.of_type(ASSIGNMENTS) if not each.properties["principalId"].startswith("[")
    ]
    assert {ROLES[each.properties["roleDefinitionId"].rpartition("/")[2]] for each in of_upstream} == {
        "Storage Queue Data Message Sender"
    }
    scopes = [each.id.partition("/providers/Microsoft.Authorization/")[0].rpartition("/")[2] for each in of_upstream]
    assert sorted(scopes) == ["profile-changes", "profile-changes", "profile-changes-2", "profile-changes-2"]


def test_nothing_asks_for_a_key_and_no_output_tells_a_secret() -> None:
    found = {
        (file.stem, line.strip())
        for file in FILES
        for line in file.read_text(encoding="utf-8").splitlines()
        if SECRETS.search(line.split("//")[0])
    }
    # What Application Insights calls so says where to write to; keys are refused there (DisableLocalAuth).
    assert found == {("app", "APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString")}


@pytest.mark.parametrize("mode", NAMES)
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (STORAGE, "allowSharedKeyAccess", False),
        (STORAGE, "allowBlobPublicAccess", False),
        (VAULT, "enableRbacAuthorization", True),
        (VAULT, "enablePurgeProtection", True),
        (HUBS, "disableLocalAuth", True),
        ("Microsoft.Insights/components", "DisableLocalAuth", True),
        ("Microsoft.Web/sites", "httpsOnly", True),
        ("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "allow", False),
    ],
)
def test_keys_are_refused_and_the_public_kept_out(mode: str, kind: str, path: str, value: bool) -> None:
    made = deployment(mode).of_type(kind)
    assert made or (kind, mode) == (HUBS, "without-hubs")
    assert all(each.properties[path] is value for each in made)


def test_what_is_open_closed_and_private() -> None:
    """Whether the public network gets in, and what is done with whoever is not listed."""

    def access(mode: Any, kind: str) -> tuple[str, str | None]:
        properties = mode.only(kind).properties
        return properties["publicNetworkAccess"], properties.get("networkAcls", {}).get("defaultAction")

    for kind in (STORAGE, VAULT):
        assert access(PLAIN, kind) == ("Enabled", "Allow")
        assert access(EVERYTHING, kind) == ("Enabled", "Deny")
        assert access(PRIVATE, kind) == ("Disabled", "Deny")
    assert [access(mode, HUBS)[0] for mode in (PLAIN, EVERYTHING, PRIVATE)] == ["Enabled", "Enabled", "Disabled"]
    assert EVERYTHING.only(STORAGE).properties["networkAcls"]["ipRules"] == [
        {"value": "203.0.113.0/28", "action": "Allow"}
    ]


def test_private_endpoints_have_their_parts_zones_and_subnet() -> None:
    made = PRIVATE.of_type("Microsoft.Network/privateEndpoints")
    parts = {}
    for each in made:
        (connection,) = each.properties["privateLinkServiceConnections"]
        assert connection["properties"]["groupIds"] == [connection["name"]]
        assert each.properties["subnet"]["id"].endswith("/subnets/endpoints")
        parts[connection["name"]] = connection["properties"]["privateLinkServiceId"].split("/")[-2]
    accounts = dict.fromkeys(("blob", "queue", "table"), "storageAccounts")
    assert parts == accounts | {"vault": "vaults", "namespace": "namespaces"}
    for kind in ("privateDnsZones", "privateDnsZones/virtualNetworkLinks", "privateEndpoints/privateDnsZoneGroups"):
        assert len(PRIVATE.of_type(f"Microsoft.Network/{kind}")) == len(made)
    assert [subnet["name"] for subnet in PRIVATE.only("Microsoft.Network/virtualNetworks").properties["subnets"]] == [
        "app",
        "endpoints",
    ]
    assert PRIVATE.of_type("Microsoft.Network/natGateways") == []
    assert "EGRESS_ADDRESSES" not in PRIVATE.app_settings


def test_hubs_see_the_static_addresses() -> None:
    """A service endpoint for Event Hubs would send from private ones."""
    (subnet,) = EVERYTHING.only("Microsoft.Network/virtualNetworks").properties["subnets"]
    endpoints = {each["service"] for each in subnet["properties"]["serviceEndpoints"]}
    assert endpoints == {"Microsoft.Storage", "Microsoft.KeyVault"}
    assert subnet["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert subnet["properties"]["natGateway"]["id"] == EVERYTHING.only("Microsoft.Network/natGateways").id


def test_the_console_is_given_the_addresses_that_the_output_tells() -> None:
    assert EVERYTHING.app_settings["EGRESS_ADDRESSES"] == EVERYTHING.outputs["EGRESS_ADDRESSES"]
    assert PLAIN.outputs["EGRESS_ADDRESSES"] == ""


def test_each_consumer_gets_a_group_of_its_own() -> None:
    groups = EVERYTHING.of_type("Microsoft.EventHub/namespaces/eventhubs/consumergroups")
    assert [each.name.split("/")[1:] for each in groups] == [["crm", "loader"], ["crm", "archive"]]
    partitions = [each.properties["partitionCount"] for each in EVERYTHING.of_type(f"{HUBS}/eventhubs")]
    assert partitions == [32, 4]


def test_each_queue_of_changes_has_an_app_and_a_plan() -> None:
    """One app a plan is all that Flex Consumption takes. azd publishes to the first."""
    apps = EVERYTHING.of_type("Microsoft.Web/sites")
    plans = [each.id for each in EVERYTHING.of_type("Microsoft.Web/serverfarms")]
    assert [app.properties["serverFarmId"] for app in apps] == plans
    assert ["azd-service-name" in app.body["tags"] for app in apps] == [True, False]
    assert len({app.properties["functionAppConfig"]["deployment"]["storage"]["value"] for app in apps}) == 2
    settings = [
        each.properties for each in EVERYTHING.of_type("Microsoft.Web/sites/config") if "appsettings" in each.name
    ]
    assert [each["PROFILE_CHANGES_QUEUE"] for each in settings] == ["profile-changes", "profile-changes-2"]
    differing = {name for name in settings[0] if settings[0][name] != settings[1].get(name)}
    assert differing == {"PROFILE_CHANGES_QUEUE", "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"}


def test_instances_are_replaced_as_chosen() -> None:
    def strategies(mode: Any) -> set[str]:
        return {
            app.properties["functionAppConfig"]["siteUpdateStrategy"]["type"]
            for app in mode.of_type("Microsoft.Web/sites")
        }

    assert (strategies(PLAIN), strategies(EVERYTHING)) == ({"Recreate"}, {"RollingUpdate"})
