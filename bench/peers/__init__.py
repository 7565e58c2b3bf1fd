"""The same job on other engines, for comparison; nothing of this is shipped."""
