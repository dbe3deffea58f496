"""`python -m graphcost` is the command `graphcost`."""

from graphcost.cli import main

if __name__ == "__main__":
    main()
