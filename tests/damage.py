"""Ways in which a file that is kept between attempts may be damaged."""

from pathlib import Path

OTHER = "content of another file"
DAMAGES = ("truncated", "bit in the middle", OTHER)
EVERY_DAMAGE = (*DAMAGES, "empty", "one byte short", "bit at the beginning", "bit at the end")


def damage(path: Path, kind: str, other: Path) -> None:
    """Damage a file in one of these ways; `other` is a whole file of the same kind."""
    content = bytearray(path.read_bytes())
    if kind == OTHER:
        content[:] = other.read_bytes()
    elif kind == "empty":
        content.clear()
    elif kind == "truncated":
        del content[len(content) // 2 :]
    elif kind == "one byte short":
        del content[-1:]
    else:
        places = {"bit at the beginning": 20, "bit in the middle": len(content) // 2, "bit at the end": -1}
        content[places[kind]] ^= 1
    path.unlink()  # tensors that were read before may be mapped from it
    path.write_bytes(content)


def say_damaged(path: Path) -> str:
    """The line of the log that says so."""
    return f"{path} is damaged: it is made again"
