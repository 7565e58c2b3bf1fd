"""What every competitor's application shares, so that only the engines differ."""
