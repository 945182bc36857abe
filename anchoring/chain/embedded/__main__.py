"""`python -m anchoring.chain.embedded --data FILE --chain-id N [--fund ADDRESS …] [--port N]`: run the chain."""

import gc
import os
import sys

from anchoring.chain.embedded.late import stand_in

if __name__ == "__main__":
    stand_in()
    gc.disable()  # until all is loaded, which stays: looking through it meanwhile finds nothing
    # py-evm hashes by the library that anchoring has for it: a fifth of the time of the one that it would choose.
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
    from anchoring.chain.embedded.running import main

    sys.exit(main())
