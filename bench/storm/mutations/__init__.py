"""The product broken on purpose, from outside: a storm that cannot fail would prove nothing."""
