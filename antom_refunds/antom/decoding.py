"""Antom's JSON as plain values, the same whatever is odd about it.

Pydantic's own parser refuses a whole body for half a surrogate pair, and lets the last of two
equal keys win. A signed message must have one meaning, and what decides nothing must not spoil it.
"""

import json
import re
from typing import Any, Final

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_CLAIM: Final = re.compile(r"[A-Z0-9_]{1,64}")


class Repeated:
    """The value of a key that appears more than once in its object: it has none.

    A field that decides must be refused with it; any other field counts as unreadable.
    """


REPEATED: Final = Repeated()


def decode(body: bytes) -> Any:
    """The body's value: numbers as the text they were written in, U+FFFD for broken characters.

    Raises ValueError if the body is not JSON, or is nested too deeply to be read.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = _DECODER.decode(text)
        return _without_lone_surrogates(value) if _ESCAPED_SURROGATE.search(text) else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def claimed_code(body: bytes) -> str:
    """The result code that an unproven body claims; "" if it claims none. Never raises."""
    try:
        code = decode(body)["result"]["resultCode"]
    except (ValueError, TypeError, LookupError):
        return ""
    return code if isinstance(code, str) and _CLAIM.fullmatch(code) else ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = REPEATED if key in found else value
    return found


def _without_lone_surrogates(value: Any) -> Any:
    match value:
        case str():
            return _LONE_SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_lone_surrogates(each) for each in value]
        case dict():
            # Two keys that only differ in what is broken stay a repetition.
            return _object(
                [
                    (_without_lone_surrogates(key), _without_lone_surrogates(value[key]))
                    for key in value
                ]
            )
        case _:
            return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=str,
    parse_float=str,
    parse_constant=str,
    strict=False,  # a line feed within a message is no reason to lose the answer
)
