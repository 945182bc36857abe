"""`python -m gateway.adapters.notary FD`: the child. FD is its end of a socket pair; it ends with the other."""

import sys

from gateway.adapters.notary.process import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
