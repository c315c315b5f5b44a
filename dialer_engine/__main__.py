"""`python -m dialer_engine`: the same commands as the launcher `./dialer`."""

import sys

from dialer_engine.cli.app import main

if __name__ == "__main__":
    if sys.argv[1:2] == ["help"]:
        sys.argv[1:] = [*sys.argv[2:], "--help"]
    main()
