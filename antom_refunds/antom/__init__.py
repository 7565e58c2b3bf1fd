"""Antom's API: wire models, signatures, result codes and the HTTP client."""
