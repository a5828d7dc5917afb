"""What the source says about wire models: docstrings of classes and of their fields, for readers of the API.

Python keeps no docstring of a field, so they are read from the source. Where there is none, as in a build
without source files, there are no such texts, and nothing else is missing.
"""

import ast
import inspect
import re
import sys
from functools import cache

from iwf_models._base import WireStruct

_FIELD_NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def class_text(cls: type) -> str:
    """The docstring of a class, without the line breaks of the source; `""` when it has none."""
    return _text(cls.__doc__ or "")


def field_texts(cls: type[WireStruct]) -> dict[str, str]:
    """The docstrings of the fields that have one, by JSON name."""
    json_names = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    return {
        json_names[name]: text for name, text in _module_texts(cls.__module__).get(cls.__name__, {}).items()
    }


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a docstring, each on one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", inspect.cleandoc(text)) if part.strip()]


def _text(docstring: str) -> str:
    return "\n\n".join(_FIELD_NAME.sub(_json_name, part) for part in paragraphs(docstring))


def _json_name(match: re.Match[str]) -> str:
    """A field as readers of the API know it; fields are the only names of that form in these texts."""
    first, *rest = match[1].split("_")
    return "`" + first + "".join(part.title() for part in rest) + "`"


@cache
def _module_texts(module: str) -> dict[str, dict[str, str]]:
    """The docstrings of fields, by class and field."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:
        return {}
    return {node.name: _fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> dict[str, str]:
    texts: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = _text(text)
            case _:
                pass
    return texts
