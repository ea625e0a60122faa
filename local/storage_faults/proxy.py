"""Forwards one storage service's requests and answers, unless a fault rule says otherwise."""

import asyncio
import logging

from local.storage_faults.answers import error_answer
from local.storage_faults.counts import RequestCounts
from local.storage_faults.messages import (
    MOST_HEAD_BYTES,
    MalformedMessageError,
    Message,
    Request,
    read_request,
    read_response,
)
from local.storage_faults.rules import ArmedFaults, Service

_log = logging.getLogger(__name__)


class StorageProxy:
    """Stands before the service at `target`; each client connection has one of its own there.

    `counts` gets every request that is forwarded or answered: none that is only cut off or stalled.
    """

    def __init__(self, service: Service, target: tuple[str, int], faults: ArmedFaults, counts: RequestCounts) -> None:
        self._service = service
        self._target = target
        self._faults = faults
        self._counts = counts
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, host, port, limit=MOST_HEAD_BYTES)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The task that asyncio itself would make complains in Python 3.11 when it is cancelled, at the end.
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = _Upstream(self._target)
        try:
            goes_on = True
            while goes_on and (request := await read_request(reader)) is not None:
                goes_on = await self._handle(request, upstream, reader, writer)
        except MalformedMessageError as error:
            _log.warning("The %s proxy closes a connection: %s", self._service, error)
        except (OSError, asyncio.IncompleteReadError):
            # The client or the service went away; closing the connection tells the other, as it would be told directly.
            pass
        finally:
            upstream.close()
            writer.close()

    async def _handle(
        self, request: Request, upstream: "_Upstream", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the client's connection goes on afterwards."""
        fault = self._faults.meet(self._service, request.method, request.paths)
        if fault is not None and fault.delay_ms is not None:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault is None or fault.kind not in ("cut", "stall"):
            # Before the answer, so that a client who has it finds its request counted. A batch counts as what is in it.
            self._counts.add(self._service, request.batched or [(request.method, request.path)])
        if fault is None or fault.kind in ("delay", "status-after", "cut-after"):
            response = await upstream.forward(request)
            if fault is None or fault.kind == "delay":
                writer.write(response.raw)
                await writer.drain()
                return not response.is_last
        if fault.kind in ("status", "status-after"):
            writer.write(error_answer(self._service, fault.error_status, request.method))
            await writer.drain()
            return not request.is_last
        if fault.kind == "stall":
            await reader.read()
        return False


class _Upstream:
    """A connection to the service, made when first needed."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def forward(self, request: Request) -> Message:
        reader, writer = await self._connected()
        writer.write(request.raw)
        await writer.drain()
        return await read_response(reader, request.method)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Azurite closes what was idle for 5 s. The client cannot see that, so it must not fail for it.
        if self._streams is not None and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._target, limit=MOST_HEAD_BYTES)
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
