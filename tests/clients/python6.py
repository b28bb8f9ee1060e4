"""PyPI auth0-python 6, whose answers are checked against its models."""

import json
import sys

import httpx
from auth0.management import ManagementClient
from auth0.management.core.jsonable_encoder import jsonable_encoder

from battery import Battery


def plain(model):
    """A model as the JSON it was read from, without what the model adds."""
    if isinstance(model, list):
        return [plain(one) for one in model]
    return jsonable_encoder(model.model_dump(by_alias=True, exclude_unset=True))


class Sdk:
    classes = {400: "BadRequestError", 401: "UnauthorizedError", 403: "ForbiddenError", 404: "NotFoundError", 409: "ConflictError"}

    def __init__(self, **options):
        self.m = ManagementClient(**options)

    def fault(self, error):
        if isinstance(error, httpx.HTTPStatusError):
            return {"type": type(error).__name__, "status": error.response.status_code}
        body = error.body if isinstance(error.body, dict) else plain(error.body)
        return {
            "type": type(error).__name__,
            "status": error.status_code,
            "code": body.get("errorCode"),
            "message": body.get("message"),
        }

    def create_user(self, body):
        return plain(self.m.users.create(**body))

    def user(self, id):
        return plain(self.m.users.get(id))

    def patch_user(self, id, body):
        return plain(self.m.users.update(id, **body))

    def delete_user(self, id):
        self.m.users.delete(id)

    def user_page(self, **query):
        page = self.m.users.list(**query)
        answer = page.response
        shape = {key: getattr(answer, key) for key in ("total", "start", "limit", "length")}
        return {"users": plain(page.items), **shape}

    def every_user(self, **query):
        return [plain(user) for user in self.m.users.list(**query)]

    def by_email(self, email):
        return plain(self.m.users.list_users_by_email(email=email))

    def link(self, id, body):
        return plain(self.m.users.identities.link(id, **body))

    def unlink(self, id, provider, user_id):
        return plain(self.m.users.identities.delete(id, provider, user_id))

    def roles_of(self, id):
        return [plain(role) for role in self.m.users.roles.list(id)]

    def permissions_of(self, id):
        return [plain(one) for one in self.m.users.permissions.list(id)]

    def give_roles(self, id, roles):
        self.m.users.roles.assign(id, roles=roles)

    def take_roles(self, id, roles):
        self.m.users.roles.delete(id, roles=roles)

    def give_permissions(self, id, permissions):
        self.m.users.permissions.create(id, permissions=permissions)

    def take_permissions(self, id, permissions):
        self.m.users.permissions.delete(id, permissions=permissions)

    def delete_user_of(self, connection, email):
        self.m.connections.users.delete_by_email(connection, email=email)

    def create_client(self, body):
        return plain(self.m.clients.create(**body))

    def client(self, id):
        return plain(self.m.clients.get(id))

    def patch_client(self, id, body):
        return plain(self.m.clients.update(id, **body))

    def delete_client(self, id):
        self.m.clients.delete(id)

    def rotate(self, id):
        return plain(self.m.clients.rotate_secret(id))

    def every_client(self):
        return [plain(client) for client in self.m.clients.list(per_page=2)]

    def connections(self, **query):
        return [plain(one) for one in self.m.connections.list(**query)]

    def connection(self, id):
        return plain(self.m.connections.get(id))

    def create_connection(self, body):
        return plain(self.m.connections.create(**body))

    def patch_connection(self, id, body):
        return plain(self.m.connections.update(id, **body))

    def delete_connection(self, id):
        self.m.connections.delete(id)

    def create_grant(self, body):
        return plain(self.m.client_grants.create(**body))

    def patch_grant(self, id, body):
        return plain(self.m.client_grants.update(id, **body))

    def delete_grant(self, id):
        self.m.client_grants.delete(id)

    def grants(self, **query):
        return [plain(one) for one in self.m.client_grants.list(**query)]

    def import_users(self, rows, connection_id, upsert):
        file = ("users.json", json.dumps(rows).encode(), "application/json")
        return plain(self.m.jobs.users_imports.create(users=file, connection_id=connection_id, upsert=upsert))

    def import_file(self, path, connection_id):
        with open(path, "rb") as file:
            return plain(self.m.jobs.users_imports.create(users=file, connection_id=connection_id))

    def export_users(self, body):
        return plain(self.m.jobs.users_exports.create(**body))

    def verify_email(self, body):
        return plain(self.m.jobs.verification_email.create(**body))

    def job(self, id):
        return plain(self.m.jobs.get(id))

    def job_errors(self, id):
        return plain(self.m.jobs.errors.get(id))

    def rules(self):
        return list(self.m.rules.list())


sys.exit(1 if Battery("python-auth0-6", Sdk).run() else 0)
