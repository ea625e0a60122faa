"""The contract with a destination's consumers: by the API, on its page, and what a change would take from it."""

from html import unescape

from shared.domain.exports.contract.contract import contract_of
from tests.kit.api import Api
from tests.kit.console import Console, fields_of
from tests.kit.world import World

PATH = "/api/destinations/d/contract"


async def test_it_is_that_of_the_stored_mapping(api: Api) -> None:
    answer = await api.expect(200, "GET", PATH)
    made = contract_of(await api.world.worker.edit_configuration.load(), "d")
    assert (answer["destinationId"], answer["configRevision"]) == ("d", made.config_revision)
    assert (answer["bodySchema"], answer["asyncapi"]) == (made.body_schema, made.asyncapi)
    assert [each["fileName"] for each in answer["texts"]] == [text.file_name for text in made.texts]
    assert "/x" in str(answer["bodySchema"])


async def test_it_changes_with_what_exports_look_like_and_not_otherwise(api: Api) -> None:
    first = await api.get(PATH)
    await api.expect(200, "PUT", "/api/dataflows/e", json={"audiences": ["a"], "attributes": ["/y"]})
    assert (await api.get(PATH)).headers["etag"] == first.headers["etag"]
    await api.expect(200, "PUT", "/api/dataflows/d", json={"audiences": ["a"], "attributes": ["/x", "/y"]})
    changed = await api.get(PATH)
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.json()["configRevision"] > first.json()["configRevision"]


async def test_without_a_destination_or_a_dataflow_there_is_none(api: Api) -> None:
    problem = await api.expect(404, "GET", "/api/destinations/other/contract")
    assert "there is no destination with this id" in problem["detail"]
    await api.expect(204, "DELETE", "/api/dataflows/d")
    assert "there is no dataflow with this id" in (await api.expect(404, "GET", PATH))["detail"]


async def test_a_plan_says_what_it_would_take_away(api: Api) -> None:
    file = await api.expect(200, "GET", "/api/config")
    file["dataflows"][0]["attributes"] = []
    plan = await api.expect(200, "PUT", "/api/config?dry-run=true", json=file)
    assert plan["removals"] == ["removes /x from what d's consumers read"]
    assert (await api.expect(200, "GET", "/api/dataflows/d"))["attributes"] == ["/x"]


async def test_the_page_shows_each_text_to_copy(world: World) -> None:
    async with Console(world) as console:
        page = unescape((await console.get("/console/destinations/d/contract")).text)
    made = contract_of(await world.worker.edit_configuration.load(), "d")
    blocks = [block for text in made.texts for block in text.blocks]
    assert [block for block in blocks if block not in page] == []
    assert page.count("data-copy=") == len(blocks) + 3
    assert "Needs includeExportMetadata, which d has not chosen" in page


async def test_the_form_says_before_saving_what_that_would_take_away(world: World) -> None:
    async with Console(world) as console:
        page = (await console.get("/console/destinations/d/mapping")).text
        assert "takes something away" not in page
        form = fields_of(page.partition('id="mapping"')[2])
        assert form.pop("attribute") == "/x"
        text = (await console.submit("/console/destinations/d/mapping/preview", form | {"attributes": "/y"})).text
    assert "removes /x from what d's consumers read" in unescape(text)
    assert (await world.worker.edit_configuration.load()).dataflow("d").attributes == ["/x"]
