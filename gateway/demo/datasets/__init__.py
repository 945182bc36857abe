"""The road of a de-identified dataset, walked from outside: by a researcher, a data steward and patients, each with a
key of their own, over the public API.

True here: what the gateway says is checked against what was asked, against what it anchored on chain, and against what
the opened files hold.
"""

from gateway.demo.datasets.run import run_demo_dataset

__all__ = ["run_demo_dataset"]
