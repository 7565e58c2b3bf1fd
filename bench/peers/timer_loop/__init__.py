"""A refund as Temporal's public samples poll: a loop of an activity and a timer."""
