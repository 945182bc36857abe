"""`python -m tests.attacks.dying_gateway ACT before|after serve`: a gateway that ends itself with SIGKILL right before
or right after a durable act of an erasure. ACT: `turn` (of the keys), `remove` (of the blocks), or the state that the
erasure is noted to have reached. Acts have names because the request and the course may both be at it. Everything else
is the gateway as it is.
"""

import os
import signal
import sys
from typing import Any

from gateway.adapters.keystore import SqlKeyStore
from gateway.adapters.packs import PackStore
from gateway.adapters.sql.index import SqlIndex
from gateway.cli import main
from gateway.ports.rows import ErasureStep


def _dies(act: Any, *, named: str, at: str, after: bool) -> Any:
    async def dying(part: Any, *given: Any) -> Any:
        steps = (
            [row.row.state.name for row in given[0] if isinstance(row, ErasureStep)] if named == "apply" else [named]
        )
        mine = at in steps
        if mine and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await act(part, *given)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return dying


if __name__ == "__main__":
    chosen, moment = sys.argv[1:3]
    sys.argv = ["consentry", *sys.argv[3:]]
    for part, name in ((SqlIndex, "apply"), (PackStore, "remove"), (SqlKeyStore, "turn")):
        setattr(part, name, _dies(getattr(part, name), named=name, at=chosen, after=moment == "after"))
    main()
