"""The refund job on DBOS: a library, and a database that is its engine."""
