"""What the official Python SDK sees of the sandbox at METAPATCH_SANDBOX_URL.

One line for each scenario, `ok  python  …` or `not ok  python  …`, and a total at the end. The SDK reads every answer
into its generated models, so that a wrong shape fails wherever it stands. What the world really holds is taken from the
sandbox's own endpoints, so that the SDK and what it talks to do not vouch for each other.
"""

import json
import os
import platform
import re
import sys
import traceback
import urllib.request
from importlib.metadata import version

from clerk_backend_api import Clerk, models
from clerk_backend_api.utils import BackoffStrategy, RetryConfig

URL = os.environ["METAPATCH_SANDBOX_URL"]
NEVER_AGAIN = RetryConfig("none", BackoffStrategy(1, 1, 1, 1), False)


def client(key, **options):
    return Clerk(bearer_auth=key, server_url=f"{URL}/v1", timeout_ms=30_000, **options)


clerk = client("sk_live_fake_python")
once = client("sk_live_fake_python", retry_config=NEVER_AGAIN)
users, organizations, memberships = clerk.users, clerk.organizations, clerk.organization_memberships
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(path, method="GET", body=None):
    """The sandbox's own endpoints, which are not of the API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/__sandbox/{path}", data, method=method)
    with DIRECTLY.open(request) as response:
        return response.read().decode()


WORLD = [json.loads(line) for line in control("world?full=1").splitlines()]
# Writes to one user are limited, so that each scenario takes one of its own.
_fresh = iter(WORLD[300:])


def user_with(**metadata):
    """A user of its own, with this metadata."""
    user_id = next(_fresh)["id"]
    empty = {"public_metadata": {}, "private_metadata": {}, "unsafe_metadata": {}}
    control(f"users/{user_id}/metadata", "PUT", {**empty, **metadata})
    return user_id


def metadata_of(user_id):
    """The metadata that the sandbox holds for a user."""
    return json.loads(control(f"users/{user_id}/metadata"))


def caught(request):
    """The error of a request that is to be refused."""
    try:
        request()
    except models.ClerkBaseError as error:
        return error
    raise AssertionError("it was not refused")


def refused(request, status, code, param=None):
    """The SDK's typed error, with its status, code, trace id and parameter."""
    error = caught(request)
    assert isinstance(error, models.ClerkErrors), repr(error)
    assert error.status_code == status, error.status_code
    [entry] = error.data.errors
    assert entry.code == code, entry.code
    assert entry.message and entry.long_message
    trace_id = error.headers["x-clerk-trace-id"]
    assert re.fullmatch("[0-9a-f]{32}", trace_id) and json.loads(error.body)["clerk_trace_id"] == trace_id
    assert (entry.meta or {}).get("param_name") == param, entry.meta
    return error


def faulty(fault, request):
    """The error that the next request meets, which the sandbox is told to answer with."""
    control("faults", "POST", {"faults": [{"rate": 1, "next": 1, **fault}]})
    try:
        return caught(request)
    finally:
        control("faults", "POST", {"faults": []})


def ids(rows):
    return [row["id"] if isinstance(row, dict) else row.id for row in rows]


def page_of_organizations(**options):
    return organizations.list(**options).data


SCENARIOS = []


def scenario(name):
    def keep(function):
        SCENARIOS.append((name, function))
        return function

    return keep


@scenario("list users by id")
def _():
    wanted = ids(WORLD[:100])
    assert sorted(ids(users.list(request={"user_id": wanted, "limit": 500}))) == sorted(wanted)


@scenario("list users by id, ten unless told")
def _():
    assert len(users.list(request={"user_id": ids(WORLD[:100])})) == 10


@scenario("list users by id, unknown ones missing")
def _():
    wanted = [WORLD[3]["id"], "user_000000000000000000000000000"]
    assert ids(users.list(request={"user_id": wanted})) == wanted[:1]


@scenario("list users by email address")
def _():
    emails = {email["email_address"] for user in WORLD[:50] for email in user["email_addresses"][:1]}

    def has(user):
        return any(email["email_address"] in emails for email in user["email_addresses"])

    found = users.list(request={"email_address": sorted(emails), "limit": 500})
    assert len(found) >= 40
    assert sorted(ids(found)) == sorted(ids(filter(has, WORLD)))
    assert all(any(email.email_address in emails for email in user.email_addresses) for user in found)


@scenario("list users by external id")
def _():
    wanted = [user for user in WORLD if user["external_id"]][:20]
    found = users.list(request={"external_id": [user["external_id"] for user in wanted], "limit": 500})
    assert sorted(ids(found)) == sorted(ids(wanted))


@scenario("list users by an email address with a plus")
def _():
    created = users.create(email_address=["plus+python@example.com"])
    assert ids(users.list(request={"email_address": ["plus+python@example.com"]})) == [created.id]
    users.delete(user_id=created.id)


@scenario("list users in both orders")
def _():
    first = users.list(request={"order_by": "+created_at", "limit": 50})
    last = users.list(request={"order_by": "-created_at", "limit": 50, "offset": len(WORLD) - 50})
    assert ids(first) == ids(last)[::-1]
    assert first[0].created_at <= first[-1].created_at


@scenario("page through everything")
def _():
    seen = []
    while True:
        page = users.list(request={"limit": 500, "offset": len(seen)})
        seen.extend(ids(page))
        if len(page) < 500:
            break
    assert sorted(seen) == sorted(ids(WORLD))


@scenario("count users")
def _():
    assert users.count().total_count == len(WORLD)
    assert users.count(request={"user_id": ids(WORLD[:7])}).total_count == 7


@scenario("get a user")
def _():
    user_id = user_with(public_metadata={"Some_Key": {"innerKey": [1, None]}})
    expected = next(user for user in WORLD if user["id"] == user_id)
    user = users.get(user_id=user_id)
    assert (user.id, user.external_id, user.created_at) == (user_id, expected["external_id"], expected["created_at"])
    assert user.public_metadata == {"Some_Key": {"innerKey": [1, None]}}
    assert (user.private_metadata, user.unsafe_metadata) == ({}, {})
    assert len(user.email_addresses) == len(expected["email_addresses"])


@scenario("create a user, and delete it")
def _():
    created = users.create(
        email_address=["new.python@example.com"], external_id="python 1/ä", public_metadata={"a": 1}
    )
    assert (created.external_id, created.public_metadata) == ("python 1/ä", {"a": 1})
    deleted = users.delete(user_id=created.id)
    assert (deleted.id, deleted.deleted) == (created.id, True)
    refused(lambda: users.get(user_id=created.id), 404, "resource_not_found")


@scenario("update a user")
def _():
    user_id = user_with()
    assert users.update(user_id=user_id, first_name="Renamed").first_name == "Renamed"


@scenario("update metadata: deep merge")
def _():
    user_id = user_with(public_metadata={"a": {"b": 1, "c": {"d": 2}}, "list": [1, 2]}, unsafe_metadata={"u": 1})
    patch = {"a": {"c": {"e": 3}}, "list": [3], "Ünï key": "<&>"}
    merged = {"a": {"b": 1, "c": {"d": 2, "e": 3}}, "list": [3], "Ünï key": "<&>"}
    assert users.update_metadata(user_id=user_id, public_metadata=patch).public_metadata == merged
    after = {"public_metadata": merged, "private_metadata": {}, "unsafe_metadata": {"u": 1}}
    assert metadata_of(user_id) == after


@scenario("update metadata: null removes at any depth")
def _():
    user_id = user_with(private_metadata={"keep": 1, "gone": 2, "deep": {"keep": 1, "gone": {"x": 1}}})
    patch = {"gone": None, "deep": {"gone": None}, "never": None}
    user = users.update_metadata(user_id=user_id, private_metadata=patch)
    assert user.private_metadata == {"keep": 1, "deep": {"keep": 1}}


@scenario("update metadata: all three fields at once, large and exact numbers among them")
def _():
    user_id = user_with()
    fields = {
        "public_metadata": {"large": 2**63 + 1, "tenth": 0.1},
        "private_metadata": {"q": [None]},
        "unsafe_metadata": {"r": {"s": False}},
    }
    user = users.update_metadata(user_id=user_id, **fields)
    assert [user.public_metadata, user.private_metadata, user.unsafe_metadata] == list(fields.values())
    assert metadata_of(user_id) == fields


@scenario("update metadata: nothing given changes nothing")
def _():
    user_id = user_with(public_metadata={"a": 1})
    assert users.update_metadata(user_id=user_id).public_metadata == {"a": 1}


@scenario("replace metadata: a given field whole, others untouched")
def _():
    user_id = user_with(public_metadata={"a": {"b": 1}, "c": 1}, private_metadata={"q": 1})
    user = users.replace_metadata(user_id=user_id, public_metadata={"a": {"d": 2}})
    assert (user.public_metadata, user.private_metadata) == ({"a": {"d": 2}}, {"q": 1})


@scenario("replace metadata: an empty object clears")
def _():
    user_id = user_with(public_metadata={"a": 1})
    assert users.replace_metadata(user_id=user_id, public_metadata={}).public_metadata == {}


@scenario("get the instance")
def _():
    instance = clerk.instance_settings.get()
    assert instance.environment_type == "production", instance


@scenario("list organizations")
def _():
    page = organizations.list(limit=500, order_by="+created_at")
    assert len(page.data) == page.total_count > 10
    assert page.data[0].created_at <= page.data[-1].created_at


@scenario("page through organizations")
def _():
    seen = []
    while True:
        page = organizations.list(limit=7, offset=len(seen))
        seen.extend(ids(page.data))
        if len(page.data) < 7:
            break
    assert len(set(seen)) == len(seen) == page.total_count


@scenario("list organizations by id and by member")
def _():
    some = page_of_organizations(limit=5)[1:3]
    assert sorted(ids(page_of_organizations(organization_id=ids(some)))) == sorted(ids(some))
    member = memberships.list(organization_id=some[0].id, limit=1).data[0].public_user_data.user_id
    assert ids(page_of_organizations(user_id=[member])) == [some[0].id]


@scenario("get an organization by id and by slug")
def _():
    [organization] = page_of_organizations(limit=1)
    assert organizations.get(organization_id=organization.id).id == organization.id
    assert organizations.get(organization_id=organization.slug).id == organization.id


@scenario("update metadata of an organization: merge and null")
def _():
    organization_id = page_of_organizations(limit=1)[0].id
    organizations.merge_metadata(
        organization_id=organization_id, public_metadata={"a": {"b": 1, "c": 2}}, private_metadata={"x": 1}
    )
    patch = {"a": {"b": None, "d": 3}}
    updated = organizations.merge_metadata(organization_id=organization_id, public_metadata=patch)
    assert updated.public_metadata["a"] == {"c": 2, "d": 3}
    assert updated.private_metadata["x"] == 1


@scenario("replace metadata of an organization")
def _():
    organization_id = page_of_organizations(limit=1, offset=1)[0].id
    updated = organizations.replace_metadata(organization_id=organization_id, public_metadata={"only": 1})
    assert updated.public_metadata == {"only": 1}


@scenario("rename an organization")
def _():
    organization_id = page_of_organizations(limit=1, offset=2)[0].id
    assert organizations.update(organization_id=organization_id, name="Renamed by python").name == "Renamed by python"


@scenario("list memberships of an organization")
def _():
    [organization] = page_of_organizations(limit=1, offset=3)
    page = memberships.list(organization_id=organization.id, limit=500)
    assert len(page.data) == page.total_count == organization.members_count
    assert {row.organization.id for row in page.data} == {organization.id}


@scenario("list memberships of an organization by user id")
def _():
    [organization] = page_of_organizations(limit=1, offset=3)
    row = memberships.list(organization_id=organization.id, limit=2).data[1]
    found = memberships.list(organization_id=organization.id, user_id=[row.public_user_data.user_id])
    assert ids(found.data) == [row.id]


@scenario("list all memberships")
def _():
    page = users.get_instance_organization_memberships(limit=500)
    assert len(page.data) == 500 and page.total_count > 500


@scenario("list memberships of a user")
def _():
    [row] = users.get_instance_organization_memberships(limit=1).data
    found = users.get_organization_memberships(user_id=row.public_user_data.user_id)
    assert ids(found.data) == [row.id]


@scenario("update metadata of a membership: merge and null")
def _():
    [row] = users.get_instance_organization_memberships(limit=1, offset=9).data
    where = {"organization_id": row.organization.id, "user_id": row.public_user_data.user_id}
    memberships.update_metadata(**where, public_metadata={"a": {"b": 1, "c": 2}})
    updated = memberships.update_metadata(**where, public_metadata={"a": {"b": None}}, private_metadata={"p": 1})
    assert (updated.id, updated.public_metadata["a"], updated.private_metadata["p"]) == (row.id, {"c": 2}, 1)


@scenario("refused: 401 without a key")
def _():
    refused(lambda: client(None).users.list(), 401, "authorization_header_format_invalid")


@scenario("refused: 401 for a key that is not known")
def _():
    stranger = client("not_a_key").users
    refused(lambda: stranger.list(), 401, "clerk_key_invalid")
    refused(lambda: stranger.update_metadata(user_id=WORLD[0]["id"], public_metadata={}), 401, "clerk_key_invalid")


@scenario("refused: 404 for a user that is not there")
def _():
    error = refused(lambda: users.get(user_id="user_nobody"), 404, "resource_not_found")
    assert "user_nobody" in error.data.errors[0].long_message
    for write in (users.update_metadata, users.replace_metadata):
        refused(lambda: write(user_id="user_nobody", public_metadata={}), 404, "resource_not_found")


@scenario("refused: 404 for organizations and memberships that are not there")
def _():
    refused(lambda: organizations.get(organization_id="org_none"), 404, "resource_not_found")
    merge = organizations.merge_metadata
    refused(lambda: merge(organization_id="org_none", public_metadata={}), 404, "resource_not_found")
    where = {"organization_id": "org_none", "user_id": WORLD[0]["id"]}
    refused(lambda: memberships.update_metadata(**where, public_metadata={}), 404, "resource_not_found")


@scenario("refused: 422 for more than 8192 bytes, and nothing is changed")
def _():
    user_id = user_with(public_metadata={"a": "x" * 4000})
    fields = {"private_metadata": {"p": 1}, "public_metadata": {"b": "y" * 4200}}
    error = refused(lambda: users.update_metadata(user_id=user_id, **fields), 422, "form_param_exceeds_allowed_size", "public_metadata")
    assert "8192 bytes" in error.data.errors[0].long_message
    after = {"public_metadata": {"a": "x" * 4000}, "private_metadata": {}, "unsafe_metadata": {}}
    assert metadata_of(user_id) == after


@scenario("refused: 422 for more than 100 values")
def _():
    error = caught(lambda: users.list(request={"user_id": ids(WORLD[:101])}))
    assert isinstance(error, models.ClerkErrors) and error.status_code == 422


@scenario("refused: 422 for an order that does not exist")
def _():
    refused(lambda: users.list(request={"order_by": "shoe_size"}), 422, "form_param_value_invalid", "order_by")


@scenario("refused: 422 for an email address that is taken")
def _():
    taken = next(email for user in WORLD for email in user["email_addresses"] if email["verified"])
    email_address = [taken["email_address"]]
    refused(lambda: users.create(email_address=email_address), 422, "form_identifier_exists", "email_address")


def throttled(error):
    """The SDK does not know 429, and gives the answer as it is."""
    assert isinstance(error, models.SDKError) and error.status_code == 429, repr(error)
    body = json.loads(error.body)
    assert body["errors"][0]["code"] == "too_many_requests"
    assert body["clerk_trace_id"] == error.headers["x-clerk-trace-id"]
    return error.headers.get("retry-after")


@scenario("limited: 429 on the 11th write to one user, with Retry-After")
def _():
    user_id = user_with()
    for n in range(10):
        users.update_metadata(user_id=user_id, public_metadata={"n": n})
    seconds = throttled(caught(lambda: users.update_metadata(user_id=user_id, public_metadata={"n": 10})))
    assert 1 <= int(seconds) <= 10, seconds
    assert metadata_of(user_id)["public_metadata"] == {"n": 9}


@scenario("limited: 429 on the 101st request of a test key, with Retry-After")
def _():
    test = client("sk_test_python").users
    for _n in range(100):
        test.count()
    seconds = throttled(caught(lambda: test.count()))
    assert 1 <= int(seconds) <= 10, seconds


@scenario("limited: 429 without Retry-After")
def _():
    assert throttled(faulty({"kind": "429-bare"}, lambda: users.get(user_id=WORLD[0]["id"]))) is None


@scenario("faulty: 409, 500, 503 and 504")
def _():
    codes = {409: "resource_locked", 500: "internal_clerk_error", 503: "service_unavailable", 504: "gateway_timeout"}
    for status, code in codes.items():
        error = faulty({"kind": str(status)}, lambda: once.users.get(user_id=WORLD[0]["id"]))
        assert error.status_code == status, error.status_code
        assert json.loads(error.body)["errors"][0]["code"] == code


@scenario("faulty: 502 with a page of HTML")
def _():
    error = faulty({"kind": "502"}, lambda: once.users.get(user_id=WORLD[0]["id"]))
    assert error.status_code == 502 and "<html>" in error.body


@scenario("faulty: the SDK's own retries come through a 503, and the write is applied once")
def _():
    user_id = user_with()
    control("faults", "POST", {"faults": [{"kind": "503", "rate": 1, "next": 1}]})
    assert users.update_metadata(user_id=user_id, public_metadata={"a": 1}).public_metadata == {"a": 1}
    truth = json.loads(control(f"truth?user_id={user_id}"))
    assert [body["status"] for body in truth["user"]["bodies"]] == [503, 200], truth["user"]


failed = 0
for name, function in SCENARIOS:
    try:
        function()
        print(f"ok  python  {name}", flush=True)
    except Exception:  # Whatever it is, the scenario has failed, and the others still have something to say.
        failed += 1
        print(f"not ok  python  {name}\n{traceback.format_exc()}", flush=True)
print(
    f"total  python  {len(SCENARIOS) - failed} of {len(SCENARIOS)} scenarios passed "
    f"(clerk-backend-api {version('clerk-backend-api')}, python {platform.python_version()})"
)
sys.exit(1 if failed else 0)
