"""A sealed file of a de-identified dataset out of the gateway: GET and HEAD of /datasets/{dataset id}/{file}, with a
Range.

True here: the octets leave as they lie on IPFS, each block checked against its CID, and nothing here can open them. The
decision and its durable entry precede the first. Every second the session and the release are looked at anew: what was
signed out, cancelled, over or made anew without somebody ends a download that is under way. Not done here: sending, and
what a client is told of failures (`downloads`); looking for those who withdrew, which the course of releases does.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
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


class Files(Protocol):
    """Of releases: who may have which (`gateway.releases.service.Releases`)."""

    async def file(self, caller: Caller, release: ReleaseId, name: str, /) -> ReleaseFile: ...

    async def get(self, caller: Caller, release: ReleaseId, /) -> ReleaseView | None: ...


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

        def octets(start: int, stop: int, again: Again) -> AsyncGenerator[bytes, None]:
            return self._octets(release, file, start, stop, again)

        return Download(
            size=file.size,
            content_type="application/octet-stream",
            etag=b'"%s"' % file.sha256.hex().encode(),
            told=[],
            octets=octets,
        )

    async def _octets(
        self, release: ReleaseId, file: ReleaseFile, start: int, stop: int, again: Again
    ) -> AsyncGenerator[bytes, None]:
        """Leaf by leaf. Raises IntegrityError where fewer come than the manifest says."""
        looked_at, left = time.monotonic(), stop - start
        limits = DagLimits(content=file.size)
        async for part in self._trees.read_content(Cid.parse(file.cid), limits=limits, start=start, stop=stop):
            if time.monotonic() - looked_at >= LOOK_SECONDS:
                await self._look_again(release, file, again)
                looked_at = time.monotonic()
            left -= len(part)
            yield part
        if left:
            raise IntegrityError("a file of a release has fewer octets than its manifest says")

    async def _look_again(self, release: ReleaseId, file: ReleaseFile, again: Again) -> None:
        caller = await again()
        if caller is None:
            raise UnauthenticatedError("the session is over")
        view = await self._files.get(caller, release)
        if view is not None and view.stage is ReleaseStage.RELEASED and file in view.files:
            return
        # Refused as whoever asks for it now, and so with an entry in the log.
        if await self._files.file(caller, release, file.name) != file:
            raise ConflictError("another edition stands there now")
