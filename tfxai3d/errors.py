"""The error a user can mend."""

from collections.abc import Collection


class UserError(ValueError):
    """A mistake in a file, a flag or an argument.

    The message is one line that names what is wrong and the remedy; the apps print it without a
    stack trace and exit with code 1.
    """


def missing_extra(package: str, extra: str) -> UserError:
    """Returns the error for an optional dependency that is not installed."""
    return UserError(f"this needs {package}: pip install 'tfxai3d[{extra}]'")


def check_choice(name: str, value: object, known: Collection[str]) -> None:
    """Raises a UserError if the value of an argument of this name is none of the known ones."""
    if value not in known:
        raise UserError(f"{name} {value!r}: must be one of {', '.join(known)}")


def reason_of(error: Exception, most: int = 120) -> str:
    """Returns what a library's error says, or else its type: one line of at most `most` characters."""
    return " ".join(str(error).split())[:most] or type(error).__name__
