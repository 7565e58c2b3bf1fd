"""Checks and registers the search attributes that a Temporal namespace needs for refunds."""

import logging
from collections.abc import Mapping
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.attributes import KEYS
from antom_refunds.connection import temporal_errors
from antom_refunds.contract import RPC_TIMEOUT
from antom_refunds.settings import SettingsError

log = logging.getLogger(__name__)

# Some servers forbid, or do not implement, the operator API.
_NOT_PERMITTED: Final = frozenset(
    {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED}
)

# The usual cause is a lack of space: a SQL store has a few columns per type.
_NOT_ADDED: Final = frozenset({RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION})


async def _existing_attributes(temporal: Client) -> Mapping[str, int] | None:
    """The namespace's custom search attributes with their types; None if it does not permit it.

    Raises SettingsError if there is no such namespace.
    """
    with temporal_errors():
        try:
            existing = await temporal.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=temporal.namespace)
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise SettingsError(
                    f"Temporal has no namespace {temporal.namespace!r}: "
                    "create it or set TEMPORAL_NAMESPACE"
                ) from error
            if error.status not in _NOT_PERMITTED:
                raise
            log.info("attributes.unchecked", extra={"reason": error.message})
            return None
    return dict(existing.custom_attributes)


async def require_attributes(temporal: Client) -> None:
    """Raise SettingsError, naming search attributes that are missing or have another type."""
    existing = await _existing_attributes(temporal)
    if existing is None:
        missing = await _missing_by_query(temporal)
    else:
        _require_types(temporal, existing)
        missing = [key.name for key in KEYS if key.name not in existing]
    if missing:
        raise SettingsError(
            f"namespace {temporal.namespace!r} lacks the search attributes "
            f"{', '.join(missing)}: run 'antom-refunds register-attributes'"
        )


async def _missing_by_query(temporal: Client) -> list[str]:
    """The search attributes that no query can use; none if queries are not permitted either.

    A missing one would otherwise be noticed by a running refund, which cannot continue then.
    """
    missing = []
    with temporal_errors():
        for key in KEYS:
            try:
                await temporal.count_workflows(f"{key.name} IS NULL", rpc_timeout=RPC_TIMEOUT)
            except RPCError as error:
                if error.status in _NOT_PERMITTED:
                    return []
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                missing.append(key.name)
    return missing


def _require_types(temporal: Client, existing: Mapping[str, int]) -> None:
    wrong = [
        f"{key.name} is {_type_name(existing[key.name])} and must be "
        f"{_type_name(key.indexed_value_type)}"
        for key in KEYS
        if existing.get(key.name, key.indexed_value_type) != key.indexed_value_type
    ]
    if wrong:
        raise SettingsError(
            f"namespace {temporal.namespace!r} has search attributes of another type: "
            f"{', '.join(wrong)}: remove them and run 'antom-refunds register-attributes', "
            "or use another namespace"
        )


def _type_name(number: int) -> str:
    """The type's name in Temporal's CLI and UI: Keyword, Int, KeywordList."""
    try:
        name = IndexedValueType.Name(number)  # type: ignore[arg-type] # the stub's own type
    except ValueError:
        return f"of an unknown type ({number})"
    words = name.removeprefix("INDEXED_VALUE_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


async def register_attributes(temporal: Client) -> tuple[str, ...]:
    """Add the missing search attributes; returns their names. Idempotent.

    Raises SettingsError if there is no such namespace, or if it does not permit the call, has no
    space for them, or has one with another type.
    """
    existing = await _existing_attributes(temporal) or {}
    _require_types(temporal, existing)
    missing = {key.name: key.indexed_value_type for key in KEYS if key.name not in existing}
    if missing:
        with temporal_errors():
            await _add(temporal, missing)
    return tuple(missing)


async def _add(temporal: Client, missing: Mapping[str, int]) -> None:
    try:
        await temporal.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=temporal.namespace,
                search_attributes=missing,  # type: ignore[arg-type] # the stub's own type
            )
        )
    except RPCError as error:
        names = ", ".join(missing)
        if error.status in _NOT_PERMITTED:
            raise SettingsError(
                f"namespace {temporal.namespace!r} does not permit adding search attributes "
                "through this API; add them in Temporal Cloud or with your cluster's "
                f"administration tool: {names}"
            ) from error
        if error.status in _NOT_ADDED:
            reason = " ".join(error.message.split()).rstrip(".")
            raise SettingsError(
                f"namespace {temporal.namespace!r} cannot add the search attributes {names}: "
                f"{reason}: remove unused ones, or use another namespace"
            ) from error
        raise
