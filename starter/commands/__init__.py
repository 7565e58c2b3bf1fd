"""The commands behind `antom-refunds`, one function each."""
