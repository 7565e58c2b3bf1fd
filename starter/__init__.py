"""How refunds are started: the Python client, and the command line around it."""

from antom_refunds.client import RefundClient

__all__ = ["RefundClient"]
