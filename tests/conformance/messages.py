"""Plain classes for the messages which the worker library and the host exchange.

The library takes these classes from its caller. In Azure they are generated from the host's protobuf files, which no
package ships; this module stands in for the generated one. The wire format fixes the names of fields. Like protobuf,
the classes refuse fields they do not know, and those which carry an app's values refuse values of another type: what
passes here could be sent to a host.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar


@dataclass(kw_only=True)
class RpcException:
    message: str
    stack_trace: str


@dataclass(kw_only=True)
class StatusResult:
    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1

    status: int
    exception: RpcException | None = None


@dataclass(kw_only=True)
class WorkerMetadata:
    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: Mapping[str, str]


@dataclass(kw_only=True)
class WorkerInitResponse:
    capabilities: Mapping[str, str]
    worker_metadata: WorkerMetadata
    result: StatusResult


@dataclass(kw_only=True)
class BindingInfo:
    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    undefined: ClassVar[int] = 0

    type: str
    direction: int
    data_type: int | None


@dataclass(kw_only=True)
class RpcRetryOptions:
    max_retry_count: int
    retry_strategy: str
    delay_interval: timedelta | None = None
    minimum_interval: timedelta | None = None
    maximum_interval: timedelta | None = None


@dataclass(kw_only=True)
class RpcFunctionMetadata:
    name: str
    function_id: str
    directory: str
    script_file: str
    entry_point: str
    language: str
    managed_dependency_enabled: bool
    is_proxy: bool
    bindings: Mapping[str, BindingInfo]
    raw_bindings: list[str]
    retry_options: RpcRetryOptions | None
    properties: Mapping[str, str]


@dataclass(kw_only=True)
class FunctionMetadataResponse:
    use_default_metadata_indexing: bool
    function_metadata_results: list[RpcFunctionMetadata] | None
    result: StatusResult


@dataclass(kw_only=True)
class FunctionLoadResponse:
    function_id: str
    result: StatusResult


@dataclass(kw_only=True)
class Timestamp:
    seconds: int


@dataclass(kw_only=True)
class NullableString:
    value: str


@dataclass(kw_only=True)
class NullableBool:
    value: bool


@dataclass(kw_only=True)
class NullableDouble:
    value: float


@dataclass(kw_only=True)
class NullableTimestamp:
    value: Timestamp


@dataclass(kw_only=True)
class RpcHttpCookie:
    # One of the names is a Python keyword, so this cannot be an Enum written as a class.
    SameSite: ClassVar[SimpleNamespace] = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})

    name: str
    value: str
    domain: NullableString | None
    path: NullableString | None
    expires: NullableTimestamp | None
    secure: NullableBool | None
    http_only: NullableBool | None
    same_site: int
    max_age: NullableDouble | None


@dataclass(kw_only=True)
class RpcHttp:
    """A request as the host sends it, or a response as the worker does: one message type serves both."""

    method: str = ""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    status_code: str = ""
    cookies: list[RpcHttpCookie] | None = None
    enable_content_negotiation: bool = False
    body: "TypedData | None" = None

    def __post_init__(self) -> None:
        texts = [self.method, self.url, self.status_code]
        for mapping in (self.headers, self.params, self.query):
            texts += [*mapping.keys(), *mapping.values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f"an HTTP message consists of strings, but this one has other values: {self!r}")


class TypedData:
    """One value of one kind; empty when made without any. Reading another kind is an AttributeError."""

    _TYPES: ClassVar[Mapping[str, type]] = {
        "string": str,
        "json": str,
        "bytes": bytes,
        "int": int,
        "double": float,
        "http": RpcHttp,
    }

    def __init__(self, **content: Any) -> None:
        if len(content) > 1:
            raise ValueError(f"one value is wanted, not {sorted(content)}")
        self._kind = next(iter(content), None)
        for kind, value in content.items():
            if not isinstance(value, self._TYPES[kind]):
                raise TypeError(f"{kind} data cannot hold {type(value).__name__}")
            setattr(self, kind, value)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - named by protobuf
        return self._kind if group == "data" else None


@dataclass(kw_only=True)
class ParameterBinding:
    name: str
    data: TypedData | None

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - named by protobuf
        return "data" if group == "rpc_data" else None


@dataclass(kw_only=True)
class InvocationResponse:
    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)
