"""What every SDK of Auth0 must be able to do, once for all of them.

An adapter (python6.py, python4.py) says how its SDK spells each call and gives plain
dictionaries back; the claims are here.
"""

import base64
import gzip
import json
import os
import re
import tempfile
import time
import traceback
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

from auth0.authentication import GetToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CONNECTION = "Username-Password-Authentication"
PASSWORD = "correct horse 9"
DOMAIN = os.environ["DOSSIER_DOMAIN"]
API = f"https://{DOMAIN}/api/v2/"


class Battery:
    """All claims about one SDK; those in the order they are written here."""

    def __init__(self, name, make):
        self.make = make
        self.sdk = make(
            domain=DOMAIN,
            client_id=os.environ["DOSSIER_CLIENT_ID"],
            client_secret=os.environ["DOSSIER_CLIENT_SECRET"],
        )
        self.name = name
        self.mark = f"{name}-{uuid.uuid4().hex[:8]}"

    def run(self):
        failed = 0
        for key, check in list(vars(Battery).items()):
            if not key.startswith("it_"):
                continue
            claim = f"{self.name}: {check.__doc__}"
            try:
                check(self)
                print(f"ok - {claim}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok - {claim}")
                print("    " + traceback.format_exc().strip().replace("\n", "\n    "), flush=True)
        return failed

    def address(self, who):
        return f"{self.mark}.{who}@example.com"

    def jane(self, who, **more):
        return self.sdk.create_user(
            {"connection": CONNECTION, "email": self.address(who), "password": PASSWORD, **more}
        )

    def refused(self, call, **expected):
        """What an SDK makes of a refusal: its class, and what its users look at."""
        started = time.monotonic()
        try:
            call()
        except Exception as error:
            fault = self.sdk.fault(error)
        else:
            raise AssertionError("it was not refused")
        for key, value in expected.items():
            if isinstance(value, re.Pattern):
                assert value.match(fault[key]), fault
            else:
                assert fault[key] == value, (key, fault)
        # A client that tries again must not be made to sleep for long.
        assert time.monotonic() - started < 5, "a refusal takes less than five seconds"

    def it_takes_a_token(self):
        "a token is fetched with the client's credentials, and used"
        assert isinstance(self.sdk.user_page(per_page=1)["users"], list)

    def it_keeps_users(self):
        "a user is created, read, updated and deleted"
        user = self.jane("crud", given_name="Jane")
        assert re.fullmatch(r"auth0\|[0-9a-f]{24}", user["user_id"])
        assert user["name"] == self.address("crud")
        assert self.sdk.user(user["user_id"]) == user
        patched = self.sdk.patch_user(user["user_id"], {"given_name": "Joan", "blocked": True})
        assert (patched["given_name"], patched["blocked"]) == ("Joan", True)
        self.sdk.delete_user(user["user_id"])
        self.sdk.delete_user(user["user_id"])
        self.refused(lambda: self.sdk.user(user["user_id"]), status=404)

    def it_merges(self):
        "metadata is merged at the first level only (m1, m2, m4, m8, m9, m10)"
        id = self.jane("merge", user_metadata={"hobby": "surfing"})["user_id"]
        steps = [
            ({"addresses": {"home": "1"}}, {"home": "1"}),
            ({"addresses": {"work": "2"}}, {"work": "2"}),
            ({"addresses": [1, 2]}, [1, 2]),
            ({"addresses": [3]}, [3]),
            ({"addresses": {"a": None}}, {"a": None}),
        ]
        for patch, addresses in steps:
            bag = self.sdk.patch_user(id, {"user_metadata": patch})["user_metadata"]
            assert bag == {"hobby": "surfing", "addresses": addresses}, bag
        user = self.sdk.patch_user(id, {"app_metadata": {"plan": "full"}})
        assert user["app_metadata"] == {"plan": "full"}
        assert user["user_metadata"] == {"hobby": "surfing", "addresses": {"a": None}}

    def it_removes(self):
        "null removes a key, {} empties a bag (m3, m5, m6, m7, m11, m13)"

        def bags(bag):
            return {"user_metadata": bag, "app_metadata": bag}

        id = self.jane("removal", **bags({"foo": "bar", "baz": "qux"}))["user_id"]
        user = self.sdk.patch_user(id, bags({"baz": None, "foo": "bars", "nothing": None}))
        assert user["user_metadata"] == user["app_metadata"] == {"foo": "bars"}
        user = self.sdk.patch_user(id, {"user_metadata": {"foo": None}})
        assert user["user_metadata"] == {}
        user = self.sdk.patch_user(id, bags({}))
        assert user["user_metadata"] == {} and "app_metadata" not in user
        empty = self.jane("empty", **bags({}))
        assert empty["user_metadata"] == {} and "app_metadata" not in empty

    def it_loses_no_update(self):
        "fifty changes of one user at once are all merged"
        id = self.jane("fifty")["user_id"]
        with ThreadPoolExecutor(50) as pool:
            bags = [{"user_metadata": {f"key{at}": at}} for at in range(50)]
            list(pool.map(lambda bag: self.sdk.patch_user(id, bag), bags))
        bag = self.sdk.user(id)["user_metadata"]
        assert bag == {f"key{at}": at for at in range(50)}, bag

    def it_pages(self):
        "a pager meets 120 users once each, and stops"
        bag = {"run": self.mark}
        with ThreadPoolExecutor(10) as pool:
            some = pool.map(lambda at: self.jane(f"pager{at}", user_metadata=bag), range(120))
            made = sorted(user["user_id"] for user in some)
        q = f'user_metadata.run:"{self.mark}"'
        for per_page in (50, 40, 7):
            met = sorted(user["user_id"] for user in self.sdk.every_user(q=q, per_page=per_page))
            assert met == made, f"pages of {per_page}"
        assert len(self.sdk.every_user(per_page=100)) >= 120
        page = self.sdk.user_page(q=q, page=1, per_page=50, sort="email:1")
        shape = [page["total"], page["start"], page["limit"], page["length"], len(page["users"])]
        assert shape == [120, 50, 50, 50, 50], shape
        assert self.sdk.user_page(q=q, page=9, per_page=50)["users"] == []

    def it_searches(self):
        "search finds what was written the moment before"
        user = self.jane(
            "search", name="Jane Smith", app_metadata={"plan": {"name": "full"}, "seats": 12}
        )
        email = f'email:"{self.address("search")}"'

        def find(q):
            return [found["user_id"] for found in self.sdk.user_page(q=q)["users"]]

        for q in [
            email,
            f"email:{self.mark}.sear*",
            f'{email} AND name:"jane smith"',
            f"{email} AND app_metadata.plan.name:full",
            f"{email} AND app_metadata.seats:[10 TO 20}}",
            f"{email} AND _exists_:app_metadata.seats AND NOT _exists_:logins_count",
            f'{email} AND (identities.connection:"{CONNECTION}" OR blocked:true)',
        ]:
            assert find(q) == [user["user_id"]], q
        assert find(f"{email} AND app_metadata.seats:13") == []
        self.sdk.patch_user(user["user_id"], {"app_metadata": {"seats": 13}})
        assert find(f"{email} AND app_metadata.seats:13") == [user["user_id"]]
        self.refused(
            lambda: self.sdk.user_page(q="email:("), status=400, code="invalid_query_string"
        )

    def it_finds_by_email(self):
        "users are found by e-mail address, and nobody is an empty list"
        user = self.jane("mail+tag")
        found = self.sdk.by_email(self.address("mail+tag"))
        assert [one["user_id"] for one in found] == [user["user_id"]]
        assert self.sdk.by_email(self.address("nobody")) == []

    def it_links(self):
        "identities are linked and unlinked"
        primary = self.jane("primary", user_metadata={"kept": True})
        second = self.jane("second", user_metadata={"lost": True}, nickname="sec")
        bare = second["user_id"].split("|")[1]
        body = {"provider": "auth0", "user_id": second["user_id"]}
        linked = self.sdk.link(primary["user_id"], body)
        assert [one["user_id"] for one in linked] == [primary["user_id"].split("|")[1], bare]
        assert linked[1]["profileData"]["nickname"] == "sec"
        self.refused(lambda: self.sdk.user(second["user_id"]), status=404)
        assert self.sdk.user(primary["user_id"])["user_metadata"] == {"kept": True}
        assert len(self.sdk.unlink(primary["user_id"], "auth0", bare)) == 1
        again = self.sdk.user(second["user_id"])
        assert again["email"] == self.address("second") and "user_metadata" not in again

    def it_shows_what_hangs_on_a_user(self):
        "what hangs on a user is there and empty"
        id = self.jane("hanging")["user_id"]
        assert self.sdk.roles_of(id) == []
        assert self.sdk.permissions_of(id) == []

    def it_keeps_roles_and_permissions(self):
        "roles and permissions are given, listed and taken"
        id = self.jane("granted")["user_id"]
        self.sdk.give_roles(id, ["rol_b", "rol_a"])
        assert [role["id"] for role in self.sdk.roles_of(id)] == ["rol_a", "rol_b"]
        self.sdk.take_roles(id, ["rol_b"])
        assert [role["name"] for role in self.sdk.roles_of(id)] == ["rol_a"]
        one = {"resource_server_identifier": API, "permission_name": "read:users"}
        self.sdk.give_permissions(id, [one])
        (found,) = self.sdk.permissions_of(id)
        assert found["permission_name"] == "read:users"
        assert found["resource_server_identifier"] == API
        assert found["sources"][0]["source_type"] == "DIRECT"
        self.sdk.take_permissions(id, [one])
        assert self.sdk.permissions_of(id) == []

    def it_deletes_by_address(self):
        "a user is deleted by address at their database"
        user = self.jane("by-address")
        (database,) = self.sdk.connections(name="Username-Password-Authentication")
        self.sdk.delete_user_of(database["id"], user["email"])
        self.refused(lambda: self.sdk.user(user["user_id"]), status=404)

    def it_keeps_clients(self):
        "a client is created, read, updated, given another secret, and deleted"
        bag = {"bar": "baz", "foo": "zoo"}
        client = self.sdk.create_client({"name": self.mark, "client_metadata": bag})
        id = client["client_id"]
        assert len(id) == 32 and len(client["client_secret"]) == 64
        patch = {"client_metadata": {"bar": None, "foo": "n", "newBar": "x"}}
        patched = self.sdk.patch_client(id, patch)
        assert patched["client_metadata"] == {"foo": "n", "newBar": "x"}, patched
        assert self.sdk.patch_client(id, {"client_metadata": {}})["client_metadata"] == {}
        assert self.sdk.patch_client(id, {"app_type": "spa"})["app_type"] == "spa"
        assert self.sdk.rotate(id)["client_secret"] != client["client_secret"]
        every = self.sdk.every_client()
        assert any(one["client_id"] == id for one in every)
        assert any(one.get("global") for one in every)
        self.sdk.delete_client(id)
        self.refused(lambda: self.sdk.client(id), status=404, code="inexistent_client")

    def it_limits_client_metadata(self):
        "the limits of client_metadata are told"
        eleven = {f"k{at}": "v" for at in range(11)}
        body = {"name": self.mark, "client_metadata": eleven}
        self.refused(
            lambda: self.sdk.create_client(body),
            status=400,
            code="invalid_body",
            message=re.compile(r"Payload validation error: 'Too many properties defined \(11\), maximum 10'"),
        )

    def it_keeps_connections(self):
        "connections are listed by name, created, updated and deleted"
        [own] = self.sdk.connections(name=CONNECTION)
        assert re.fullmatch(r"con_[A-Za-z0-9]{16}", own["id"]) and own["strategy"] == "auth0"
        made = self.sdk.create_connection({"name": f"c-{uuid.uuid4().hex[:8]}", "strategy": "auth0"})
        self.sdk.patch_connection(made["id"], {"options": {"requires_username": True}})
        assert self.sdk.connection(made["id"])["options"]["requires_username"] is True
        self.sdk.delete_connection(made["id"])
        self.refused(
            lambda: self.sdk.connection(made["id"]), status=404, code="inexistent_connection"
        )

    def it_grants(self):
        "a grant gives a client its scopes and no others"
        client = self.sdk.create_client(
            {"name": f"{self.mark}-m2m", "app_type": "non_interactive", "grant_types": ["client_credentials"]}
        )
        id, audience = client["client_id"], f"https://{DOMAIN}/api/v2/"
        grant = self.sdk.create_grant({"client_id": id, "audience": audience, "scope": ["read:users"]})
        theirs = self.sdk.grants(client_id=id)
        assert [(one["id"], one["audience"]) for one in theirs] == [(grant["id"], audience)]
        limited = self.make(domain=DOMAIN, client_id=id, client_secret=client["client_secret"])
        assert isinstance(limited.user_page(per_page=1)["users"], list)
        self.refused(
            lambda: limited.create_client({"name": "x"}),
            status=403,
            code="insufficient_scope",
            message="Insufficient scope, expected any of: create:clients",
            type=self.sdk.classes[403],
        )
        self.sdk.patch_grant(grant["id"], {"scope": ["read:users", "read:clients"]})
        self.sdk.delete_grant(grant["id"])
        assert self.sdk.grants(client_id=id) == []
        self.sdk.delete_client(id)

    def done(self, job):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            now = self.sdk.job(job["id"])
            if now["status"] in ("completed", "failed"):
                return now
            time.sleep(0.05)
        raise AssertionError("the job is not done after twenty seconds")

    def it_proves_itself_with_a_key(self):
        "a client proves who it is with a key instead of a secret"
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_key().public_bytes(encoding, public).decode()
        plain, private = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
        methods = {"private_key_jwt": {"credentials": [{"credential_type": "public_key", "name": self.mark, "pem": pem}]}}
        client = self.sdk.create_client({"name": f"{self.mark}-key", "client_authentication_methods": methods})
        audience = f"https://{DOMAIN}/api/v2/"
        self.sdk.create_grant({"client_id": client["client_id"], "audience": audience, "scope": ["read:users"]})
        signing = key.private_bytes(encoding, private, plain).decode()
        tokens = GetToken(DOMAIN, client["client_id"], client_assertion_signing_key=signing)
        token = tokens.client_credentials(audience)["access_token"]
        assert self.make(domain=DOMAIN, token=token).user_page(per_page=1)["users"] is not None
        self.sdk.delete_client(client["client_id"])

    def it_imports_a_file(self):
        "a file of users is imported as it is read"
        [own] = self.sdk.connections(name=CONNECTION)
        bag = {"text": "x" * 5000}
        rows = [{"email": self.address(f"s{at}"), "app_metadata": bag} for at in range(40)]
        with tempfile.NamedTemporaryFile() as file:
            file.write(json.dumps(rows).encode())
            file.flush()
            job = self.done(self.sdk.import_file(file.name, own["id"]))
        assert job["summary"] == {"failed": 0, "updated": 0, "inserted": 40, "total": 40}
        assert self.sdk.by_email(self.address("s39"))[0]["app_metadata"] == bag

    def it_imports_and_exports(self):
        "users are imported and exported, and what went wrong is told row by row"
        [own] = self.sdk.connections(name=CONNECTION)
        bag = {"run": f"{self.mark}-i"}
        rows = [{"email": self.address(who), "email_verified": True, "user_metadata": bag} for who in ("i1", "i2")]
        first = self.sdk.import_users(rows, own["id"], False)
        assert (first["type"], first["status"]) == ("users_import", "pending")
        assert self.done(first)["summary"] == {"failed": 0, "updated": 0, "inserted": 2, "total": 2}
        second = self.done(self.sdk.import_users(rows[1:], own["id"], False))
        assert second["summary"]["failed"] == 1
        [row] = self.sdk.job_errors(second["id"])
        assert row["user"]["email"] == self.address("i2")
        assert row["errors"][0]["code"] == "DUPLICATED_USER"
        upserted = [{"email": self.address("i2"), "user_metadata": {"other": 1}}]
        third = self.done(self.sdk.import_users(upserted, own["id"], True))
        assert third["summary"]["updated"] == 1
        assert self.sdk.by_email(self.address("i2"))[0]["user_metadata"] == {"other": 1}
        fields = [{"name": "email"}, {"name": "user_metadata.run", "export_as": "run"}]
        job = self.sdk.export_users({"connection_id": own["id"], "format": "json", "fields": fields})
        assert (job["type"], job["status"]) == ("users_export", "pending")
        with urllib.request.urlopen(self.done(job)["location"]) as answer:
            text = gzip.decompress(answer.read()).decode()
        lines = [json.loads(line) for line in text.splitlines()]
        assert {"email": self.address("i1"), "run": f"{self.mark}-i"} in lines

    def it_sends_verification_emails(self):
        "a verification e-mail is a job"
        user = self.jane("verify")
        job = self.sdk.verify_email({"user_id": user["user_id"]})
        assert (job["type"], job["status"]) == ("verification_email", "pending")
        assert self.sdk.job(job["id"])["id"] == job["id"]

    def it_says_404(self):
        "404: a user that is not there"
        self.refused(
            lambda: self.sdk.user("auth0|000000000000000000000000"),
            status=404,
            code="inexistent_user",
            message="The user does not exist.",
            type=self.sdk.classes[404],
        )

    def it_says_409(self):
        "409: a user that exists, within five seconds"
        self.jane("twice")
        self.refused(
            lambda: self.jane("twice"),
            status=409,
            code="auth0_idp_error",
            message="The user already exists.",
            type=self.sdk.classes[409],
        )

    def it_says_400(self):
        "400: a body or a page that is not right"
        body = {"connection": CONNECTION, "email": "none", "password": PASSWORD}
        self.refused(
            lambda: self.sdk.create_user(body),
            status=400,
            code="invalid_body",
            message=re.compile("Payload validation error: 'Object didn't pass validation for format email: none'"),
            type=self.sdk.classes[400],
        )
        self.refused(
            lambda: self.sdk.user_page(per_page=1000),
            status=400,
            code="invalid_query_string",
            message=re.compile("Query validation error: 'Value 1000 is greater than maximum 100' on property per_page"),
        )

    def it_says_401(self):
        "401: a token of somebody else, and a wrong secret"

        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        token = f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part({'sub': 'x'})}.{'a' * 342}"
        stranger = self.make(domain=DOMAIN, token=token)
        self.refused(lambda: stranger.user("auth0|1"), status=401, type=self.sdk.classes[401])
        wrong = os.environ["DOSSIER_CLIENT_ID"]
        self.refused(
            lambda: self.make(domain=DOMAIN, client_id=wrong, client_secret="wrong").user("auth0|1"),
            status=401,
        )

    def it_says_403(self):
        "403: what is Auth0's and not served here"
        self.refused(
            self.sdk.rules, status=403, code="insufficient_scope", type=self.sdk.classes[403]
        )
