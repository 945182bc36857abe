"""The main job, done from outside: a client of the public GraphQL API with its own keys, and nobody's trust.

True here: what the gateway says is checked against what went in, and against the chain's RPC without the gateway.
Nothing of the gateway's services, adapters or wiring is used; of its code only JSON text and the pure Merkle functions.
"""

from gateway.demo.model import DemoGateway
from gateway.demo.run import run_demo

__all__ = ["DemoGateway", "run_demo"]
