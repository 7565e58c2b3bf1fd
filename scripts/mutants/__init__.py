"""Changes the code in small places, one at a time, and checks whether a test notices."""
