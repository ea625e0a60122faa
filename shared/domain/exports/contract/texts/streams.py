"""What reads a hub as it flows: Spark Structured Streaming, Stream Analytics, Kafka clients."""

import json

from shared.domain.configuration.targets import Target
from shared.domain.exports.contract.texts.text import Column, Text, columns_of, listed, needs_metadata
from shared.domain.profile.attributes import Mask

HEADERS = '''\
def header(value: bytes) -> str | int:
    """The text or the long that an AMQP sender has put into a property."""
    kind, data = value[0], value[1:]
    if kind in (0xA1, 0xB1):  # a text, after one or four bytes of its length
        return data[1 if kind == 0xA1 else 4 :].decode()
    if kind in (0x54, 0x55, 0x71, 0x81):  # a number of one, four or eight bytes
        return int.from_bytes(data, "big", signed=True)
    raise ValueError(f"expected a text or a number, got AMQP type 0x{kind:02x}")
'''


def kafka(target: Target) -> Text:
    """A client in Python that decodes headers and keeps the rule."""
    reading = f'''\
import json
from collections.abc import Callable

from confluent_kafka import Consumer


def read(namespace: str, connection_string: str, save_if_newer: Callable[..., None]) -> None:
    """Hand each export over until the process ends; `save_if_newer` is yours: an upsert by the rule."""
    consumer = Consumer(
        {{
            "bootstrap.servers": f"{{namespace}}.servicebus.windows.net:9093",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "$ConnectionString",
            "sasl.password": connection_string,
            "group.id": "YOUR-GROUP",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }}
    )
    consumer.subscribe([{_quoted(target.destination.event_hub_name)}])
    while True:
        message = consumer.poll(10)
        if message is None:
            continue
        if message.error():
            raise RuntimeError(message.error())
        headers = dict(message.headers() or ())
        if "destinationId" in headers and header(headers["destinationId"]) == {_quoted(target.id)}:
            facts = {{name: header(value) for name, value in headers.items()}}
            version = facts["profileVersion"], facts["configRevision"]
            save_if_newer(facts["profileId"], version, json.loads(message.value()), facts)
        consumer.commit(message)  # after the save, never before
'''
    return Text("Kafka clients", "kafka.py", "python", (reading, HEADERS))


def stream_analytics(target: Target) -> Text:
    """What exports say, flat, into an output of all exports."""
    facts = [
        "GetMetadataPropertyValue(hub, '[User].[destinationId]') AS destinationId",
        "GetMetadataPropertyValue(hub, '[User].[profileId]') AS profileId",
        "CAST(GetMetadataPropertyValue(hub, '[User].[profileVersion]') AS bigint) AS profileVersion",
        "CAST(GetMetadataPropertyValue(hub, '[User].[configRevision]') AS bigint) AS configRevision",
        "GetMetadataPropertyValue(hub, '[User].[entered]') AS entered",
        "GetMetadataPropertyValue(hub, '[User].[left]') AS [left]",
        "GetMetadataPropertyValue(hub, '[User].[transitionIds]') AS transitionIds",
        "hub.segmentMembership",
        "hub.identityMap",
    ]
    attributes = [f"hub.{_bracketed(each)} AS [{each.name}]" for each in columns_of(target)]
    query = f"""\
WITH Exports AS (
    SELECT
        {listed([*facts, *attributes], 8)}
    FROM hub PARTITION BY PartitionId
)
SELECT * INTO profiles FROM Exports
"""
    return Text("Stream Analytics", "stream-analytics.sql", "sql", (query,))


def spark(target: Target) -> Text:
    """Structured Streaming into a table with one row a profile; maps are declared, else a new audience is a column."""
    columns = columns_of(target)
    members = [
        *_struct_members(target.mask),
        "segmentMembership MAP<STRING, MAP<STRING, STRUCT<status: STRING, lastQualificationTime: STRING>>>",
        "identityMap MAP<STRING, ARRAY<STRUCT<id: STRING>>>",
        "_export STRUCT<destinationId: STRING, profileId: STRING, profileVersion: BIGINT, configRevision: BIGINT,\n"
        "                   transitionIds: ARRAY<STRING>, entered: ARRAY<STRING>, left: ARRAY<STRING>>",
    ]
    selected = ["_export.*", "segmentMembership", "identityMap", *map(_selected, columns)]
    stored = ["segmentMembership", "identityMap", *(each.name for each in columns)]
    keys = ["destinationId", "profileId", "profileVersion", "configRevision"]
    merging = f'''\
from pyspark.sql import functions as F

SCHEMA = """
    {listed(members, 4)}
"""
exports = raw.select(F.from_json(F.col("value").cast("string"), SCHEMA).alias("e")).select("e.*")


def upsert(batch, _):
    """For foreachBatch: the greatest of the batch for each profile, then the rule against the table."""
    batch.selectExpr(
        {listed(map(_quoted, selected), 8)},
    ).createOrReplaceTempView("batch")
    batch.sparkSession.sql("""
        MERGE INTO profiles AS t USING (
            SELECT *, row_number() OVER (
                PARTITION BY destinationId, profileId ORDER BY profileVersion DESC, configRevision DESC
            ) AS place FROM batch
        ) AS s
        ON s.place = 1 AND t.destinationId = s.destinationId AND t.profileId = s.profileId
        WHEN MATCHED AND (
            s.profileVersion > t.profileVersion
            OR (s.profileVersion = t.profileVersion AND s.configRevision > t.configRevision)
        ) THEN UPDATE SET
            {listed([f"{each} = s.{each}" for each in [*keys[2:], *stored]], 12)}
        WHEN NOT MATCHED AND s.place = 1 THEN INSERT (
            {listed([*keys, *stored], 12)}
        ) VALUES (
            {listed([f"s.{each}" for each in [*keys, *stored]], 12)}
        )
    """)
'''
    return Text("Spark and Databricks", "spark.py", "python", (merging,), needs_metadata(target))


def _quoted(text: str) -> str:
    """As a text in Python."""
    return json.dumps(text, ensure_ascii=False)


def _bracketed(column: Column) -> str:
    return ".".join("[" + key.replace("]", "]]") + "]" for key in column.path)


def _selected(column: Column) -> str:
    return f"{'.'.join(map(_ticked, column.path))} AS {column.name}"


def _ticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _struct_members(mask: Mask, *, nested: bool = False) -> list[str]:
    """Attributes are text there: JSON of what is no text. Keys as within a text in Python."""
    joint = ": " if nested else " "
    return [
        _ticked(_quoted(key)[1:-1])
        + joint
        + ("STRING" if below is None else f"STRUCT<{', '.join(_struct_members(below, nested=True))}>")
        for key, below in sorted(mask.items())
    ]
