"""Spoils the code in small places, one at a time, and asks whether a test notices."""
