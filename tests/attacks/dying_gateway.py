"""`python -m tests.attacks.dying_gateway STEP before|after serve`: a gateway that ends itself with SIGKILL right before
or right after the n-th durable act of an erasure (0 is the first). Everything else is the gateway as it is.
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

_count = 0


def _dies(act: Any, *, only_steps: bool, at: int, after: bool) -> Any:
    async def dying(part: Any, *given: Any) -> Any:
        global _count
        if only_steps and not any(isinstance(row, ErasureStep) for row in given[0]):
            return await act(part, *given)
        mine, _count = _count == at, _count + 1
        if mine and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await act(part, *given)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return dying


if __name__ == "__main__":
    step, moment = int(sys.argv[1]), sys.argv[2]
    sys.argv = ["consentry", *sys.argv[3:]]
    acts = ((SqlIndex, "apply", True), (PackStore, "remove", False), (SqlKeyStore, "turn", False))
    for part, name, only_steps in acts:
        setattr(part, name, _dies(getattr(part, name), only_steps=only_steps, at=step, after=moment == "after"))
    main()
