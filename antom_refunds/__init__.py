"""Refunds at Antom that reach their true end, exactly once."""
