"""`igbaselines ...`, `python -m igbaselines ...` and, in a checkout, `python run.py ...`."""

import sys

from igbaselines.common.extras import what_to_install
from igbaselines.common.garbage import import_without_collecting


def main() -> None:
    """Do what the command line asks for, or say what has to be installed for that."""
    import_without_collecting()
    try:
        from igbaselines.command_line import main as do
    except ModuleNotFoundError as error:
        if (line := what_to_install(error)) is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(2)
    do()


if __name__ == "__main__":
    main()
