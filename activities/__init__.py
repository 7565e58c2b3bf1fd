"""The worker's activities: calls to Antom."""
