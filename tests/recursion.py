"""Each test begins with the recursion limit that the gateway's process has.

py-evm and py_ecc lift it for the whole process when they are imported (to 10,240 and 100,000), and the gateway never
imports them (import law 14). A test of the embedded chain in the same process would change what the others test.
"""

import sys

import pytest

PYTHONS_OWN = 1000


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Lifted for the tests of the chain alone."""
    of_the_chain = "/embedded/" in item.path.as_posix() or "embedded_chain" in item.path.name
    sys.setrecursionlimit(100_000 if of_the_chain else PYTHONS_OWN)
