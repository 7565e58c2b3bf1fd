"""A faithful Antom for rehearsals: its HTTP, its signatures, its ledger and its bad days."""
