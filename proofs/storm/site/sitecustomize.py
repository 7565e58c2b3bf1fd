"""Python imports this first where this folder is on PYTHONPATH."""

import os

if name := os.environ.get("STORM_MUTATION"):
    from proofs.storm.mutations import MUTATIONS

    MUTATIONS[name].apply()
