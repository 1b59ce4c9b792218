"""`python -m careerlens` is the command `careerlens`."""

from careerlens.cli import main

if __name__ == "__main__":
    main()
