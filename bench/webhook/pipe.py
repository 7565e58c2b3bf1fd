"""Keep-alive connections with next to no cost of their own: what is sent was made beforehand."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

import httpx

_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


def wire_form(request: httpx.Request) -> bytes:
    """The request as it stands on the wire, in HTTP/1.1."""
    lines = [b"POST " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + _END_OF_HEAD + request.content


@dataclass(frozen=True, slots=True)
class Pipe:
    """One connection; one exchange at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.writer.write(message)
        head = await self.reader.readuntil(_END_OF_HEAD)
        body = await self.reader.readexactly(_length(head))
        return int(head.split(b" ", 2)[1]), body


def _length(head: bytes) -> int:
    lines = (line for line in head.lower().split(b"\r\n") if line.startswith(_LENGTH))
    return int(next(lines).removeprefix(_LENGTH))


async def pipe_to(url: str) -> Pipe:
    """A new connection."""
    target = httpx.URL(url)
    return Pipe(*await asyncio.open_connection(target.host, target.port))


@asynccontextmanager
async def pipes(url: str, count: int) -> AsyncIterator[Sequence[Pipe]]:
    """So many connections while inside."""
    made = [await pipe_to(url) for _ in range(count)]
    try:
        yield made
    finally:
        for pipe in made:
            pipe.writer.close()


@dataclass(frozen=True, slots=True)
class Pool:
    """As many connections as are needed at once; the one that was used last is used next."""

    url: str
    _idle: list[Pipe] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pipe in self._idle:
            pipe.writer.close()

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        pipe = self._open_one() or await pipe_to(self.url)
        answer = await pipe.exchange(message)
        self._idle.append(pipe)
        return answer

    def _open_one(self) -> Pipe | None:
        while self._idle:
            pipe = self._idle.pop()
            if not pipe.reader.at_eof():
                return pipe
            pipe.writer.close()  # the webhook closed it already: it was idle for too long
        return None


async def poured(through: Sequence[Pipe], messages: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """The answers to all of them, each connection sending its next when it was answered."""
    left = iter(messages)
    answers = await asyncio.gather(*(_drained(pipe, left) for pipe in through))
    return [answer for each in answers for answer in each]


async def _drained(pipe: Pipe, left: Iterator[bytes]) -> list[tuple[int, bytes]]:
    return [await pipe.exchange(message) for message in left]
