"""What the worker may do in the world: the calls at Antom."""
