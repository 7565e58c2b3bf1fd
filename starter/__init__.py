"""The command line, the local stack and the demo."""

from antom_refunds.client import RefundClient

__all__ = ["RefundClient"]
