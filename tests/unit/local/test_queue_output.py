import azure.functions as func
import pytest

from local.functions_host.queues.output import messages_in


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        (None, []),
        ("größer", ["größer"]),
        (b"\xff\x00", [b"\xff\x00"]),
        (["a", '["b"]'], ["a", '["b"]']),
        ('["a", 1, {"b": "ü"}]', ["a", "1", '{\n  "b": "ü"\n}']),
        ('{"a": 1}', ['{\n  "a": 1\n}']),
        (func.QueueMessage(id="7", body="a"), ['{\n  "id": "7",\n  "body": "a"\n}']),
    ],
)
def test_an_output_value_becomes_messages_as_the_host_makes_them(value: object, messages: list[str | bytes]) -> None:
    assert messages_in(value) == messages


@pytest.mark.parametrize("value", [7, [b"bytes"], "{no json}"])
def test_a_value_that_no_host_would_send_is_refused(value: object) -> None:
    with pytest.raises((NotImplementedError, ValueError)):
        messages_in(value)
