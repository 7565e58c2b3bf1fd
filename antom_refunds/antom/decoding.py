"""Decodes Antom's JSON to plain values, tolerating defects that do not affect the meaning.

Pydantic's own parser rejects a whole body because of one lone surrogate, and uses the last of two
equal keys. A signed message must have one meaning, and an irrelevant field must not invalidate it.
"""

import json
import re
from typing import Any, Final

_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_CLAIM: Final = re.compile(r"[A-Z0-9_]{1,64}")


class Repeated:
    """Stands in for the value of a key that appears more than once in its object.

    A deciding field with this value must be rejected; any other field counts as unreadable.
    """


REPEATED: Final = Repeated()


def decode(body: bytes) -> Any:
    """The decoded body, with numbers as strings and U+FFFD for invalid characters.

    Raises ValueError if the body is not JSON or is nested too deeply.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = _DECODER.decode(text)
        return _without_lone_surrogates(value) if _ESCAPED_SURROGATE.search(text) else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def claimed_code(body: bytes) -> str:
    """The result code in an unverified body; "" if there is none. Never raises."""
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
            # Keys that become equal by this replacement count as repeated.
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
    strict=False,  # a line feed inside a text must not invalidate the response
)
