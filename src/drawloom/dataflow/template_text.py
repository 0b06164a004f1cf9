"""Where the `${…}` of a text begin and end."""

from __future__ import annotations

from collections.abc import Iterator

from drawloom.errors import ExpressionInvalid


def pieces(text: str) -> Iterator[str | tuple[str, int]]:
    """Text and `(expression, offset)` in turn. Raises `ExpressionInvalid` for an open `${`."""
    position, literal = 0, ""
    while (start := text.find("${", position)) >= 0:
        if start > 0 and text[start - 1] == "$":  # `$${` is an escaped `${`
            literal += text[position : start - 1] + "${"
            position = start + 2
            continue
        literal += text[position:start]
        end = _closing(text, start + 2)
        if literal:
            yield literal
        yield text[start + 2 : end], start + 2
        position, literal = end + 1, ""
    if literal + text[position:]:
        yield literal + text[position:]


def _closing(text: str, start: int) -> int:
    """The index of the `}` that ends the expression beginning at *start*."""
    depth, position = 0, start
    while position < len(text):
        char = text[position]
        if char in "\"'`":
            position = _after_quote(text, position)
            continue
        if text.startswith("/*", position):
            stop = text.find("*/", position + 2)
            position = len(text) if stop < 0 else stop + 2
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    raise ExpressionInvalid("`${` is never closed by `}`", source=text, position=start - 2)


def _after_quote(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position] != text[start]:
        position += 2 if text[position] == "\\" and text[start] != "`" else 1
    return position + 1
