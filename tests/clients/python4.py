"""PyPI auth0-python 4."""

import io
import json
import sys

import requests
from auth0.authentication import GetToken
from auth0.management import Auth0

from battery import Battery


class Sdk:
    classes = {status: "Auth0Error" for status in (400, 401, 403, 404, 409)}

    def __init__(self, domain, token=None, client_id=None, client_secret=None):
        self.token = token
        self.credentials = (domain, client_id, client_secret)
        self.api = None

    @property
    def m(self):
        domain, client_id, client_secret = self.credentials
        if self.token is None:
            tokens = GetToken(domain, client_id, client_secret=client_secret)
            self.token = tokens.client_credentials(f"https://{domain}/api/v2/")["access_token"]
        if self.api is None:
            self.api = Auth0(domain, self.token)
        return self.api

    def fault(self, error):
        return {
            "type": type(error).__name__,
            "status": error.status_code,
            "code": error.error_code,
            "message": error.message,
        }

    def create_user(self, body):
        return self.m.users.create(body)

    def user(self, id):
        return self.m.users.get(id)

    def patch_user(self, id, body):
        return self.m.users.update(id, body)

    def delete_user(self, id):
        self.m.users.delete(id)

    def user_page(self, **query):
        return self.m.users.list(**query)

    # This SDK has no pager: its users turn the pages until one is empty.
    def every_user(self, **query):
        every, page = [], 0
        while users := self.m.users.list(page=page, **query)["users"]:
            every += users
            page += 1
        return every

    def by_email(self, email):
        return self.m.users_by_email.search_users_by_email(email)

    def link(self, id, body):
        return self.m.users.link_user_account(id, body)

    def unlink(self, id, provider, user_id):
        return self.m.users.unlink_user_account(id, provider, user_id)

    def roles_of(self, id):
        return self.m.users.list_roles(id)["roles"]

    def permissions_of(self, id):
        return self.m.users.list_permissions(id)["permissions"]

    def give_roles(self, id, roles):
        self.m.users.add_roles(id, roles)

    def take_roles(self, id, roles):
        self.m.users.remove_roles(id, roles)

    def give_permissions(self, id, permissions):
        self.m.users.add_permissions(id, permissions)

    def take_permissions(self, id, permissions):
        self.m.users.remove_permissions(id, permissions)

    def delete_user_of(self, connection, email):
        self.m.connections.delete_user_by_email(connection, email)

    def create_client(self, body):
        return self.m.clients.create(body)

    def client(self, id):
        return self.m.clients.get(id)

    def patch_client(self, id, body):
        return self.m.clients.update(id, body)

    def delete_client(self, id):
        self.m.clients.delete(id)

    def rotate(self, id):
        return self.m.clients.rotate_secret(id)

    def every_client(self):
        every, page = [], 0
        while clients := self.m.clients.all(page=page, per_page=2):
            every += clients
            page += 1
        return every

    def connections(self, **query):
        return self.m.connections.all(**query)

    def connection(self, id):
        return self.m.connections.get(id)

    def create_connection(self, body):
        return self.m.connections.create(body)

    def patch_connection(self, id, body):
        return self.m.connections.update(id, body)

    def delete_connection(self, id):
        self.m.connections.delete(id)

    def create_grant(self, body):
        return self.m.client_grants.create(body)

    def patch_grant(self, id, body):
        return self.m.client_grants.update(id, body)

    def delete_grant(self, id):
        self.m.client_grants.delete(id)

    def grants(self, **query):
        return self.m.client_grants.all(**query)

    def import_users(self, rows, connection_id, upsert):
        file = io.BytesIO(json.dumps(rows).encode())
        return self.m.jobs.import_users(connection_id, file, upsert=upsert)

    # The SDK's own requests library, given pieces and no length: it sends chunks.
    def import_file(self, path, connection_id):
        self.m
        domain = self.credentials[0]
        line = "bound-of-parts"

        def part(name, more=""):
            return f'--{line}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()

        def pieces():
            yield part("connection_id") + connection_id.encode() + b"\r\n"
            yield part("users", '; filename="users.json"\r\nContent-Type: application/json')
            with open(path, "rb") as file:
                while piece := file.read(1000):
                    yield piece
            yield f"\r\n--{line}--\r\n".encode()

        answer = requests.post(
            f"https://{domain}/api/v2/jobs/users-imports",
            data=pieces(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": f"multipart/form-data; boundary={line}",
            },
        )
        answer.raise_for_status()
        return answer.json()

    def export_users(self, body):
        return self.m.jobs.export_users(body)

    def verify_email(self, body):
        return self.m.jobs.send_verification_email(body)

    def job(self, id):
        return self.m.jobs.get(id)

    def job_errors(self, id):
        return self.m.jobs.get_failed_job(id)

    def rules(self):
        return self.m.rules.all()


sys.exit(1 if Battery("python-auth0-4", Sdk).run() else 0)
