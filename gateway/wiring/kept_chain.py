"""The embedded chain as the gateway keeps it: a child that dies is started again, at the same port, on the same file.

True here: the URL that `start` found holds for the gateway's life. While the child is away the chain is out of reach
like any other: reads go STALE, revocations hold, calls wait. Not done here: repairing a file; a child that is refused
again and again is tried again, and `trouble` says why.
"""

import threading
from pathlib import Path
from typing import Final

from anchoring.chain.embedded.errors import ChainDidNotStart
from anchoring.chain.embedded.errors import ChainRefused as EmbeddedRefused
from anchoring.chain.embedded.process import EmbeddedChainProcess
from gateway.errors import SettingsError

PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each try; the last is kept."""


class KeptChain:
    """Made by `start`. Any thread may call `stop`."""

    def __init__(self, *, data: Path, chain_id: int, funded: list[str], port: int) -> None:
        self._data = data
        self._chain_id = chain_id
        self._funded = funded
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process = self._begin(port)
        self.port: Final = self._process.port
        self.trouble: str | None = None

    @classmethod
    def start(cls, *, data: Path, chain_id: int, funded: list[str], port: int) -> "KeptChain":
        """Blocks until the child answers. SettingsError for a file that is in use or of another chain."""
        try:
            return cls(data=data, chain_id=chain_id, funded=funded, port=port)
        except (EmbeddedRefused, ChainDidNotStart) as error:
            raise SettingsError(f"the embedded chain does not start: {error}") from error

    @property
    def url(self) -> str:
        """Where JSON-RPC is answered while the child lives."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Ends the child, and its being started again."""
        self._stopping.set()
        with self._lock:
            self._process.stop()

    def _begin(self, port: int) -> EmbeddedChainProcess:
        return EmbeddedChainProcess.start(
            data=self._data, chain_id=self._chain_id, funded=self._funded, port=port, on_death=self._again
        )

    def _again(self, _status: int) -> None:
        """In the thread that saw the death. A crash of the child lost nothing: each block is one transaction."""
        tries = 0
        while not self._stopping.wait(PAUSES[min(tries, len(PAUSES) - 1)]):
            tries += 1
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return
                    self._process = self._begin(self.port)
            except (EmbeddedRefused, ChainDidNotStart, OSError) as error:
                self.trouble = f"the embedded chain does not start again ({type(error).__name__})"
            else:
                self.trouble = None
                return
