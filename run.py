"""The single entry: `python run.py experiment=<name> [scale=smoke|demo|paper] [key=value ...]`; see the README."""

from igbaselines.command_line import main

if __name__ == "__main__":
    main()
