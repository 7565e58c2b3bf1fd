"""`python -m starter` runs the command line without an installed script."""

from starter.cli import main

if __name__ == "__main__":
    main()
