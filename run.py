"""The single entry of a checkout: `python run.py experiment=<name> [scale=smoke|demo|paper] [key=value ...]`.

Where the package is installed, the same is `igbaselines experiment=<name> ...`; see the README.
"""

from igbaselines.__main__ import main

if __name__ == "__main__":
    main()
