"""What the domains need from outside, one file a neighbour. A port states what is durable on return and who retries.

Ports hold shapes of storage (rows, calls, blocks), never health data in the clear, and import no domain.
"""
