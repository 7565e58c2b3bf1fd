"""The refund job on Restate: a server that keeps journals, and services that it calls."""
