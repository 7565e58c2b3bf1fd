"""`make demo`: refunds on a real Temporal server, against the Antom simulator with faults."""
