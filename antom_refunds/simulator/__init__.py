"""A simulated Antom: its HTTP API with real signatures, a ledger, notifications and faults.

Merchants' requests are read with models of the simulator's own, and its result codes are a table
of its own: sharing either with the product would let one misreading of Antom's reference pass on
both sides. What both share is Antom's signature scheme and the models of what Antom sends.
"""
