"""The error a user can mend."""


class UserError(ValueError):
    """A mistake in a file, a flag or an argument.

    The message is one line that names what is wrong and the remedy; the apps print it without a
    stack trace and exit with code 1.
    """


def missing_extra(package: str, extra: str) -> UserError:
    """Returns the error for an optional dependency that is not installed."""
    return UserError(f"this needs {package}: pip install 'tfxai3d[{extra}]'")
