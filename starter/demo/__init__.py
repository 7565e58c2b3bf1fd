"""`make demo`: real refunds on a real Temporal server, against a faithful Antom on bad days."""
