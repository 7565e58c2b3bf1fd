"""The domain: money, orders, evidence, the state machine, the retry policy. No I/O, no clock."""
