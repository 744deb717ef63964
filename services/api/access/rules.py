"""Who may call which operation: one rule for each, and the only place where that is written down. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from libs.contracts.errors import ApiError
from services.api.access.callers import Caller
from services.api.accounts.records import Role, User
from services.api.errors import Refusal

READ_METHODS = ("GET", "HEAD")


class Who(Enum):
    """Who is asked for, and where the credential stands."""

    NOBODY = "anybody, without a credential"
    CUSTOMER = "a key or a user of the customer, or a platform user with `?customer=`"
    KEY_IN_PATH = "a key of the customer, in the path"
    STREAM = "as a customer's operation, or a one-time ticket"
    PERSON = "a signed-in user, about itself"
    OPERATOR = "a platform user"
    WATCHER = "a platform user, also while NATS or MongoDB is away"
    SINGLE = (
        "as a customer's operation; a platform user, the deployment's key or nobody (by setting) for the default one"
    )
    DEFAULT = "a platform user, for the default customer"
    EITHER = "a key or a user of the customer, or a platform user for the default one"
    VISITOR = "a page: a signed-in user, by the cookie"
    OPERATORS_PAGE = "a page: a platform user, by the cookie"
    WATCHERS_PAGE = "a page: a platform user, also while NATS or MongoDB is away"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call an operation.

    Support may only read: what asks for another scope than `read`, or is no GET, is a change, whatever it is called.
    """

    who: Who = Who.CUSTOMER
    scope: str = ""
    """`read send sessions webhooks admin`; empty: none is asked for."""
    of_account: bool = False
    """It is about the account, not about a session: a key for some sessions is refused."""
    of_owner: bool = False
    """A signed-in owner, or an administrator of the platform."""
    of_administrator: bool = False
    """Of the platform's users the administrators alone."""
    or_operator: bool = False
    """Of a page: the platform's users have it too, each about what is theirs."""
    while_suspended: bool = False
    """Also for the users of a suspended customer."""

    def is_read(self, method: str) -> bool:
        """Whether it changes nothing."""
        return method in READ_METHODS and self.scope in ("", "read")

    def require(self, caller: Caller, method: str) -> None:
        """Raises Refusal FORBIDDEN unless the rule lets this caller through."""
        if caller.role is Role.SUPPORT and not self.is_read(method):
            raise _only_reads()
        if self.of_owner:
            caller.require_owner()
        if self.scope:
            caller.require(self.scope)
        if self.of_account:
            caller.require_all_sessions()

    def require_operator(self, operator: User, method: str) -> None:
        """Raises Refusal FORBIDDEN unless the rule lets this user of the platform through."""
        if operator.role is Role.SUPPORT and not self.is_read(method):
            raise _only_reads()
        if self.of_administrator and operator.role is not Role.ADMIN:
            if self.who is Who.OPERATORS_PAGE:
                raise _only_reads()
            raise Refusal(ApiError.FORBIDDEN, reason="it is for SUPER_ADMIN")  # as the single-session dashboard says


def _only_reads() -> Refusal:
    return Refusal(ApiError.FORBIDDEN, reason="support may only read")


# --- Kinds of rules --------------------------------------------------------------------------------------------------

NOBODY = Rule(who=Who.NOBODY)
PERSON = Rule(who=Who.PERSON)
READ, SEND, SESSIONS, WEBHOOKS = (Rule(scope=scope) for scope in ("read", "send", "sessions", "webhooks"))
ACCOUNT_READ, ACCOUNT_SEND, ACCOUNT_SESSIONS, ADMIN = (
    Rule(scope=scope, of_account=True) for scope in ("read", "send", "sessions", "admin")
)
OWNER = Rule(of_owner=True, of_account=True)
OPERATOR = Rule(who=Who.OPERATOR)
ADMINISTRATOR = Rule(who=Who.OPERATOR, of_administrator=True)
DEFAULT_READ, DEFAULT_SEND, DEFAULT_ADMIN = (
    Rule(who=Who.DEFAULT, scope=scope, of_account=True) for scope in ("read", "send", "admin")
)
PAGE, PAGE_ACCOUNT = (Rule(who=Who.VISITOR, scope=scope, or_operator=True) for scope in ("", "admin"))
PAGE_READ, PAGE_SESSIONS, PAGE_WEBHOOKS, PAGE_ADMIN = (
    Rule(who=Who.VISITOR, scope=scope) for scope in ("read", "sessions", "webhooks", "admin")
)
OPERATORS_PAGE = Rule(who=Who.OPERATORS_PAGE)
ADMINISTRATORS_PAGE = Rule(who=Who.OPERATORS_PAGE, of_administrator=True)


def _each(rule: Rule, operations: str) -> dict[str, Rule]:
    return dict.fromkeys(operations.split(), rule)


# --- The rules -------------------------------------------------------------------------------------------------------

OPEN: Mapping[str, Rule] = _each(
    NOBODY, "get_liveness get_readiness get_asyncapi sign_in sign_in_admin sign_up get_single_status"
) | dict.fromkeys(("GET /docs", "GET /docs/{path:str}", "GET /docs/openapi.json", "GET /docs/openapi.yaml"), NOBODY)
"""`get_single_status` looks at a credential where there is one, and tells nothing that is anybody's secret."""

OF_ONESELF: Mapping[str, Rule] = _each(
    PERSON, "get_me update_profile list_logins revoke_login revoke_other_logins change_password"
) | dict.fromkeys(("sign_out", "POST /api/auth/logout"), Rule(who=Who.PERSON, while_suspended=True))

OF_SESSIONS: Mapping[str, Rule] = {
    **_each(
        READ,
        "list_sessions get_session get_session_health list_messages get_message export_messages list_chats get_chat"
        " download_media list_groups check_numbers list_templates get_template get_stats get_stats_summary"
        " create_stream_ticket",
    ),
    **_each(
        SEND,
        "send_message edit_message cancel_message retry_message mark_message_read mark_chat_read upload_media"
        " show_presence create_group add_participants remove_participants change_participants"
        " release_queue discard_queue",
    ),
    **_each(
        SESSIONS,
        "update_session delete_session start_session stop_session restart_session logout_session"
        " get_session_qr request_pair_code get_passkey answer_passkey confirm_passkey",
    ),
    **_each(
        WEBHOOKS,
        "list_webhooks create_webhook get_webhook update_webhook delete_webhook test_webhook rotate_webhook_secret"
        " replay_webhook list_webhook_deliveries get_webhook_delivery redeliver_webhook",
    ),
    **dict.fromkeys(("stream_events", "WS /api/customer/whatsapp/stream"), Rule(who=Who.STREAM, scope="read")),
    **_each(
        Rule(who=Who.KEY_IN_PATH, scope="send"),
        "send_public_message send_public_text send_public_text_by_get get_public_status",
    ),
}
"""A key for some sessions has these for its own: of lists it sees its part, and another's things are not there."""

OF_ACCOUNTS: Mapping[str, Rule] = {
    **_each(
        ACCOUNT_READ,
        "get_account get_subscription list_transactions get_transaction get_dashboard list_offered_plans",
    ),
    **_each(ACCOUNT_SEND, "create_template update_template delete_template"),
    **_each(ACCOUNT_SESSIONS, "create_session"),
    **_each(
        ADMIN,
        "update_account request_purchase cancel_purchase get_credits list_credits_ledger set_low_balance"
        " list_audit_entries get_api_key create_api_key list_keys create_key get_key update_key rotate_key revoke_key"
        " delete_key",
    ),
    **_each(
        OWNER,
        "list_users create_user get_user update_user delete_user reset_user_password sign_out_user",
    ),
}

OF_THE_SINGLE_SESSION: Mapping[str, Rule] = {
    **_each(Rule(who=Who.SINGLE, scope="sessions"), "get_single_qr reconnect_single"),
    **_each(Rule(who=Who.EITHER, scope="read"), "get_admin_message_status list_admin_templates get_admin_template"),
    **_each(
        Rule(who=Who.EITHER, scope="send", of_account=True),
        "create_admin_template update_admin_template delete_admin_template",
    ),
    **_each(DEFAULT_READ, "get_admin_dashboard list_admin_messages list_admin_chats list_api_tokens"),
    **_each(DEFAULT_SEND, "reply_to_admin_chat"),
    **_each(DEFAULT_ADMIN, "create_api_token revoke_api_token delete_api_token"),
    **_each(ADMINISTRATOR, "list_admins create_admin update_admin set_admin_password delete_admin"),
}

OF_THE_PLATFORM: Mapping[str, Rule] = {
    **_each(
        OPERATOR,
        "list_customers get_customer create_customer update_customer suspend_customer resume_customer"
        " list_plans get_plan create_plan update_plan"
        " list_subscriptions subscribe_customer extend_subscription cancel_subscription"
        " list_payments get_payment confirm_payment reject_payment"
        " get_customer_credits list_customer_credits_ledger grant_credits"
        " list_all_users get_any_user reset_any_password sign_out_any_user"
        " list_platform_audit_entries list_platform_sessions list_replicas"
        " list_dead_letters get_dead_letter redrive_dead_letter redrive_dead_letters drop_dead_letter",
    ),
    **_each(Rule(who=Who.WATCHER), "get_platform_state"),
}

_PAGES: Mapping[Rule, str] = {
    NOBODY: "GET: GET:/signin POST:/signin GET:/signup POST:/signup",
    Rule(who=Who.VISITOR, or_operator=True, while_suspended=True): "POST:/signout",
    PAGE: "GET:/settings GET:/whatsapp",
    PAGE_ACCOUNT: "GET:/settings/audit",
    PAGE_READ: "GET:/whatsapp/figures GET:/whatsapp/devices GET:/whatsapp/devices/list"
    " GET:/whatsapp/messages GET:/whatsapp/messages/{message_id:str}"
    " GET:/whatsapp/chats GET:/whatsapp/chats/list GET:/whatsapp/chats/{chat_id:str}"
    " GET:/whatsapp/chats/{chat_id:str}/thread"
    " GET:/whatsapp/playground GET:/whatsapp/playground/log GET:/whatsapp/playground/number"
    " GET:/whatsapp/playground/number/check GET:/whatsapp/plan GET:/whatsapp/plan/payments",
    PAGE_SESSIONS: "POST:/whatsapp/devices/{session_id:str}/scan",
    PAGE_WEBHOOKS: "GET:/whatsapp/webhooks GET:/whatsapp/webhooks/new GET:/whatsapp/webhooks/{webhook_id:str}"
    " GET:/whatsapp/webhooks/{webhook_id:str}/change GET:/whatsapp/webhooks/deliveries/{delivery_id:str}",
    PAGE_ADMIN: "GET:/whatsapp/devices/keys GET:/whatsapp/plan/credits",
    Rule(who=Who.VISITOR, of_owner=True): "GET:/team",
    OPERATORS_PAGE: "GET:/platform GET:/platform/customers GET:/platform/customers/{customer_id:str}"
    " GET:/platform/plans GET:/platform/payments GET:/platform/sessions GET:/platform/replicas"
    " GET:/platform/letters GET:/platform/letters/{letter_id:int}",
    ADMINISTRATORS_PAGE: "GET:/platform/plans/new GET:/platform/plans/{plan_id:str}",
    Rule(who=Who.WATCHERS_PAGE): "GET:/platform/state",
}
"""By method and path below `/<language>/dashboard`. What a page shows beyond its rule, it leaves out for some."""

PAGES: Mapping[str, Rule] = {
    **dict.fromkeys(("GET /dashboard", "GET /dashboard/assets/{name:str}"), NOBODY),
    **{
        f"{method} /<language>/dashboard{path}": rule
        for rule, places in _PAGES.items()
        for method, _, path in (place.partition(":") for place in places.split())
    },
}

RULES: Mapping[str, Rule] = {
    **OPEN,
    **OF_ONESELF,
    **OF_SESSIONS,
    **OF_ACCOUNTS,
    **OF_THE_SINGLE_SESSION,
    **OF_THE_PLATFORM,
    **PAGES,
}
"""By operation id; what has none, by method and path."""
