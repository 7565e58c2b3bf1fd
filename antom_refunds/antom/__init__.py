"""Antom as it speaks: wire models, signatures, result codes and the HTTP client."""
