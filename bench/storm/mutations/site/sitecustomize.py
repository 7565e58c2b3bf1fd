"""Python reads this before anything else where this folder is on PYTHONPATH."""

import os

if name := os.environ.get("STORM_MUTATION"):
    from bench.storm.mutations.patches import apply

    apply(name)
