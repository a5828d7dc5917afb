"""Command line of the iWF server."""


def main() -> None:
    """Run the command line."""
