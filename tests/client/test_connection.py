"""The connection to Temporal: which errors count as unavailable, what a namespace must have."""

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from antom_refunds import attributes, namespace
from antom_refunds.client import RefundClient
from antom_refunds.connection import (
    TemporalSettingsError,
    TemporalUnavailableError,
    connect,
    temporal_errors,
)
from antom_refunds.domain.money import Money
from antom_refunds.domain.order import RefundOrder
from antom_refunds.listing import list_filter
from antom_refunds.namespace import register_attributes, require_attributes
from antom_refunds.settings import SettingsError


@pytest.mark.parametrize(
    "status",
    [
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    ],
)
def test_a_temporal_that_does_not_respond_is_unavailable(status: RPCStatusCode) -> None:
    with (
        pytest.raises(TemporalUnavailableError, match="is unavailable: hush"),
        temporal_errors(),
    ):
        raise RPCError("hush", status, b"")


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(RPCError), temporal_errors():
        raise RPCError("no", RPCStatusCode.INVALID_ARGUMENT, b"")
    with pytest.raises(RuntimeError, match="a defect"), temporal_errors():
        raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("text", "status", "advice"),
    [
        ("Namespace x is not found.", RPCStatusCode.NOT_FOUND, "TEMPORAL_NAMESPACE"),
        ("no", RPCStatusCode.PERMISSION_DENIED, "TEMPORAL_API_KEY"),
        ("who are you", RPCStatusCode.UNAUTHENTICATED, "TEMPORAL_API_KEY"),
        ("no search attribute X", RPCStatusCode.INVALID_ARGUMENT, "register-attributes"),
    ],
)
def test_an_error_that_an_operator_must_fix_is_one_sentence(
    text: str, status: RPCStatusCode, advice: str
) -> None:
    with pytest.raises(TemporalSettingsError, match=advice), temporal_errors():
        raise RPCError(text, status, b"")


async def test_a_start_without_the_search_attributes_says_how_to_get_them(
    bare_server: WorkflowEnvironment,
) -> None:
    amount = Money(currency="EUR", minor=1)
    order = RefundOrder(refund_request_id="r-1", payment_id="p-1", amount=amount)

    with pytest.raises(TemporalSettingsError, match=r"Refund\w+.*register-attributes"):
        await RefundClient(bare_server.client).start(order)


async def test_a_lazy_client_finds_out_with_its_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    lazy = await connect(is_lazy=True)

    with pytest.raises(TemporalUnavailableError), temporal_errors():
        await lazy.get_workflow_handle("any").describe()


async def test_small_messages_are_not_compressed() -> None:
    lazy = await connect(is_lazy=True)

    assert lazy.service_client.config.grpc_compression is GrpcCompression.NONE


async def test_a_prepared_namespace_is_accepted(dev_server: WorkflowEnvironment) -> None:
    await require_attributes(dev_server.client)

    assert await register_attributes(dev_server.client) == ()


async def test_a_namespace_that_does_not_permit_the_check_is_accepted(
    skipping_server: WorkflowEnvironment,
) -> None:
    await require_attributes(skipping_server.client)


async def test_missing_attributes_are_noticed_where_they_cannot_be_listed(
    monkeypatch: pytest.MonkeyPatch,
    dev_server: WorkflowEnvironment,
    bare_server: WorkflowEnvironment,
) -> None:
    async def not_permitted(_: Client) -> None:
        return None

    monkeypatch.setattr(namespace, "_existing_attributes", not_permitted)

    await require_attributes(dev_server.client)
    with pytest.raises(SettingsError, match="lacks the search attributes RefundState"):
        await require_attributes(bare_server.client)


async def test_a_bare_namespace_is_refused_until_it_is_prepared(
    bare_server: WorkflowEnvironment,
) -> None:
    with pytest.raises(SettingsError, match=r"RefundState.*register-attributes"):
        await require_attributes(bare_server.client)

    added = await register_attributes(bare_server.client)

    assert set(added) == {key.name for key in attributes.KEYS}
    await require_attributes(bare_server.client)


async def _add(server: WorkflowEnvironment, **types: str) -> None:
    await server.client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default",
            search_attributes={
                name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind}")
                for name, kind in types.items()
            },
        )
    )


async def test_search_attributes_of_another_type_are_named_with_both_types(
    bare_server: WorkflowEnvironment,
) -> None:
    await _add(bare_server, RefundState="TEXT", RefundAmountMinor="KEYWORD_LIST")
    text = r"RefundState is Text and must be Keyword, RefundAmountMinor is KeywordList and .* Int"

    for call in (require_attributes, register_attributes):
        with pytest.raises(SettingsError, match=text):
            await call(bare_server.client)


async def test_a_namespace_without_room_for_the_search_attributes_is_named(
    bare_server: WorkflowEnvironment,
) -> None:
    await _add(bare_server, **{f"Taken{number}": "KEYWORD" for number in range(9)})

    with pytest.raises(SettingsError, match=r"cannot add .*RefundState.* 10 .*Keyword: remove"):
        await register_attributes(bare_server.client)


async def test_a_namespace_that_does_not_exist_is_named(dev_server: WorkflowEnvironment) -> None:
    address = dev_server.client.service_client.config.target_host
    lost = await Client.connect(address, namespace="nowhere")

    for call in (require_attributes, register_attributes):
        with pytest.raises(SettingsError, match=r"no namespace 'nowhere'.*TEMPORAL"):
            await call(lost)


def test_a_filter_value_is_escaped() -> None:
    query = list_filter(merchant="o'neill\\", needs_attention=True)

    assert " AND RefundMerchant = 'o\\'neill\\\\' AND (RefundNeedsAttention = true OR " in query
