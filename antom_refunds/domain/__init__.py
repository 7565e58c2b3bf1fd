"""The refund itself: money, orders, evidence, the state machine and its waits. No I/O, no clock."""
