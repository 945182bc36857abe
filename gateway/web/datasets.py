"""A sealed file of a de-identified dataset out of the gateway: GET and HEAD of /datasets/{dataset id}/{file}, with a
Range.

True here: the octets leave as they lie on IPFS, each block checked against its CID, and nothing here can open them. The
decision and its durable entry precede the first. Every second the session and the release are looked at anew, without
an entry: what was signed out, cancelled, over or made anew without somebody ends a download that is under way. Not done
here: sending, and what a client is told of failures (`downloads`); looking for those who withdrew, which the course of
releases does.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Protocol

from gateway.errors import ConflictError, IntegrityError, UnauthenticatedError
from gateway.identity.model import Caller
from gateway.ids import ReleaseId, from_global
from gateway.ports.releases import ReleaseStage
from gateway.records.contents import Again
from gateway.releases.model import ReleaseFile, ReleaseView
from gateway.storage.dag import DagLimits
from gateway.storage.model import Cid
from gateway.web.downloads import Download

PREFIX = "/datasets/"
LOOK_SECONDS = 1.0
_MOVED = "another edition stands there now"


class Files(Protocol):
    """Of releases: who may have which (`gateway.releases.service.Releases`)."""

    async def file(self, caller: Caller, release: ReleaseId, name: str, /) -> ReleaseFile: ...

    async def get(self, caller: Caller, release: ReleaseId, /) -> ReleaseView | None: ...

    async def stands(self, caller: Caller, release: ReleaseId, /, *, edition: int) -> bool: ...


class Trees(Protocol):
    """Where they lie (`gateway.storage.service.Blocks`)."""

    def read_content(
        self, root: Cid, /, *, limits: DagLimits, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]: ...


class DatasetRoom:
    """What is given for /datasets/{dataset id}/{file}."""

    def __init__(self, files: Files, trees: Trees) -> None:
        self._files = files
        self._trees = trees

    async def __call__(self, caller: Caller, path: str, headers: dict[bytes, bytes]) -> Download:
        named, _, name = path.removeprefix(PREFIX).partition("/")
        release = ReleaseId(from_global("Dataset", named, field=("id",)))
        file = await self._files.file(caller, release, name)
        edition = await self._edition(caller, release, file)

        async def look_again(again: Again) -> None:
            await self._look_again(release, name, edition, again)

        def octets(start: int, stop: int, again: Again) -> AsyncGenerator[bytes, None]:
            return self._octets(file, start, stop, lambda: look_again(again))

        return Download(
            size=file.size,
            content_type="application/octet-stream",
            etag=b'"%s"' % file.sha256.hex().encode(),
            told=[],
            octets=octets,
        )

    async def _edition(self, caller: Caller, release: ReleaseId, file: ReleaseFile) -> int:
        """That which the file is of. While another is made, the files are still those of the one before."""
        view = await self._files.get(caller, release)
        if view is None or view.stage is not ReleaseStage.RELEASED or file not in view.files:
            raise ConflictError(_MOVED)
        return view.edition

    async def _octets(
        self, file: ReleaseFile, start: int, stop: int, look: Callable[[], Awaitable[None]]
    ) -> AsyncGenerator[bytes, None]:
        """Leaf by leaf. Raises IntegrityError where fewer come than the manifest says."""
        looked_at, left = time.monotonic(), stop - start
        limits = DagLimits(content=file.size)
        async for part in self._trees.read_content(Cid.parse(file.cid), limits=limits, start=start, stop=stop):
            if time.monotonic() - looked_at >= LOOK_SECONDS:
                await look()
                looked_at = time.monotonic()
            left -= len(part)
            yield part
        if left:
            raise IntegrityError("a file of a release has fewer octets than its manifest says")

    async def _look_again(self, release: ReleaseId, name: str, edition: int, again: Again) -> None:
        caller = await again()
        if caller is None:
            raise UnauthenticatedError("the session is over")
        if await self._files.stands(caller, release, edition=edition):
            return
        # Refused as whoever asks for it now, and so with an entry in the log.
        await self._files.file(caller, release, name)
        raise ConflictError(_MOVED)
