"""What a Temporal namespace must have before refunds can run in it."""

import logging
from typing import Final

from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from antom_refunds.attributes import KEYS
from antom_refunds.connection import reaching_temporal
from antom_refunds.settings import SettingsError

log = logging.getLogger(__name__)

# Some namespaces forbid or lack the operator's calls.
_NOT_TO_BE_ASKED: Final = frozenset(
    {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.UNIMPLEMENTED}
)


async def _known_attributes(temporal: Client) -> frozenset[str] | None:
    """The names that the namespace has; None where it does not say.

    Raises SettingsError if there is no such namespace.
    """
    with reaching_temporal():
        try:
            known = await temporal.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=temporal.namespace)
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise SettingsError(
                    f"Temporal has no namespace {temporal.namespace!r}: "
                    "create it or set TEMPORAL_NAMESPACE"
                ) from error
            if error.status not in _NOT_TO_BE_ASKED:
                raise
            # A missing attribute then shows when the first refund is started.
            log.info("attributes.unchecked", extra={"reason": error.message})
            return None
    return frozenset(known.custom_attributes)


async def require_attributes(temporal: Client) -> None:
    """Raises SettingsError naming what the namespace lacks, or that there is none."""
    known = await _known_attributes(temporal)
    missing = [] if known is None else [each.name for each in KEYS if each.name not in known]
    if missing:
        raise SettingsError(
            f"namespace {temporal.namespace!r} lacks the search attributes "
            f"{', '.join(missing)}: run 'antom-refunds register-attributes'"
        )


async def register_attributes(temporal: Client) -> tuple[str, ...]:
    """Adds the search attributes that the namespace lacks; their names. May be repeated.

    Raises SettingsError where there is no such namespace or it does not permit it.
    """
    known = await _known_attributes(temporal) or frozenset()
    missing = {each.name: each.indexed_value_type for each in KEYS if each.name not in known}
    if not missing:
        return ()
    with reaching_temporal():
        try:
            await temporal.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=temporal.namespace,
                    search_attributes={
                        name: kind.value  # type: ignore[misc] # the enum's stub wants its own type
                        for name, kind in missing.items()
                    },
                )
            )
        except RPCError as error:
            if error.status not in _NOT_TO_BE_ASKED:
                raise
            raise SettingsError(
                f"namespace {temporal.namespace!r} lets nobody add search attributes from here; "
                f"add them where it is managed: {', '.join(missing)}"
            ) from error
    return tuple(missing)
