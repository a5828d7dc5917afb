"""Search attributes of the development server: those of iWF, those of the user, and the room for them."""

from collections.abc import Iterable, Mapping

from iwf_interpreter.contract import (
    EXECUTING_STATE_IDS_ATTRIBUTE,
    GLOBAL_VERSION_ATTRIBUTE,
    WORKFLOW_TYPE_ATTRIBUTE,
)

IWF_SEARCH_ATTRIBUTES: Mapping[str, str] = {
    WORKFLOW_TYPE_ATTRIBUTE: "Keyword",
    EXECUTING_STATE_IDS_ATTRIBUTE: "KeywordList",
    GLOBAL_VERSION_ATTRIBUTE: "Int",
}
"""What the server itself writes, and one that only tools made for other iWF servers look for."""

SEARCH_ATTRIBUTE_LIMITS: Mapping[str, int] = {
    "Keyword": 10,
    "Text": 3,
    "Int": 3,
    "Double": 3,
    "Bool": 3,
    "Datetime": 3,
    "KeywordList": 3,
}
"""How many attributes of each type the development server's database holds per namespace."""


class InvalidSearchAttribute(ValueError):
    """A search attribute is not written well, or there is no room for it."""


def parse_search_attribute(text: str) -> tuple[str, str]:
    """Read `NAME=TYPE`; raises `InvalidSearchAttribute`."""
    name, separator, type_ = text.partition("=")
    if not name or not separator:
        raise InvalidSearchAttribute(f"{text!r} is not NAME=TYPE")
    if type_ not in SEARCH_ATTRIBUTE_LIMITS:
        raise InvalidSearchAttribute(
            f"{text!r} has the unknown type {type_!r}, known are {', '.join(SEARCH_ATTRIBUTE_LIMITS)}"
        )
    return name, type_


def declared_once(attributes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Type by name; raises `InvalidSearchAttribute` for a name with two types, those of iWF included."""
    declared: dict[str, str] = {}
    for name, type_ in attributes:
        other = declared.get(name) or IWF_SEARCH_ATTRIBUTES.get(name, type_)
        if other != type_:
            raise InvalidSearchAttribute(f"{name!r} cannot be of type {type_}, it is of type {other}")
        declared[name] = type_
    return declared


def check_room(attributes: Mapping[str, str]) -> None:
    """Check that the server can hold these beside those of iWF; raises `InvalidSearchAttribute`."""
    together = {**IWF_SEARCH_ATTRIBUTES, **attributes}
    for type_, limit in SEARCH_ATTRIBUTE_LIMITS.items():
        names = [name for name, of in together.items() if of == type_]
        if len(names) > limit:
            raise InvalidSearchAttribute(
                f"the development server holds {limit} attributes of type {type_}, "
                f"these are {len(names)}: {', '.join(names)}"
            )
