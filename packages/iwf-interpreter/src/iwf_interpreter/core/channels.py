"""Signal channels and internal channels: named queues of messages.

Both kinds have the same shape and separate name spaces. A message waits until a command takes it or
the workflow closes. A channel that empties disappears, so it costs nothing in a stored state.
"""

from typing import TypeVar

V = TypeVar("V")


def publish(channels: dict[str, list[V]], name: str, value: V) -> None:
    """Append a message to a channel, which begins to exist with it."""
    channels.setdefault(name, []).append(value)


def take(channels: dict[str, list[V]], name: str, count: int) -> list[V]:
    """Remove and return the oldest messages of a channel that has some: `count`, or fewer if it has fewer."""
    messages = channels[name]
    taken = messages[:count]
    if len(messages) <= count:
        del channels[name]
    else:
        del messages[:count]
    return taken


def sizes(channels: dict[str, list[V]]) -> dict[str, int]:
    """Number of unconsumed messages by channel."""
    return {name: len(messages) for name, messages in channels.items()}
