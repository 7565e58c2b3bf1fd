"""The workflows, and the texts that they show to operators."""
