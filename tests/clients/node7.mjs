// npm auth0 7.
import { createReadStream } from "node:fs";
import { PassThrough } from "node:stream";
import { ManagementClient } from "auth0";
import { run } from "./battery.mjs";

async function every(page) {
  const all = [];
  for await (const item of page) all.push(item);
  return all;
}

const make = (options) => {
  const m = new ManagementClient(options);
  return {
    classes: { 400: "BadRequestError", 401: "UnauthorizedError", 403: "ForbiddenError", 404: "NotFoundError", 409: "ConflictError" },
    fault: (error) => ({
      class: error.constructor.name,
      status: error.statusCode,
      code: error.body?.errorCode,
      message: error.body?.message,
      raw: String(error),
    }),
    createUser: (body) => m.users.create(body),
    user: (id) => m.users.get(id),
    patchUser: (id, body) => m.users.update(id, body),
    userWithTag: async (id) => {
      const { data, rawResponse } = await m.users.get(id).withRawResponse();
      return { user: data, tag: rawResponse.headers.get("etag") };
    },
    patchUserAt: (id, body, tag) => m.users.update(id, body, { headers: { "If-Match": tag } }),
    deleteUser: (id) => m.users.delete(id),
    userPage: async (query) => {
      const page = await m.users.list(query);
      const { total, start, limit, length } = page.response;
      return { users: page.data, total, start, limit, length };
    },
    everyUser: async (query) => every(await m.users.list(query)),
    byEmail: (email) => m.users.listUsersByEmail({ email }),
    link: (id, body) => m.users.identities.link(id, body),
    unlink: (id, provider, other) => m.users.identities.delete(id, provider, other),
    rolesOf: async (id) => every(await m.users.roles.list(id)),
    permissionsOf: async (id) => every(await m.users.permissions.list(id)),
    giveRoles: (id, roles) => m.users.roles.assign(id, { roles }),
    takeRoles: (id, roles) => m.users.roles.delete(id, { roles }),
    givePermissions: (id, permissions) => m.users.permissions.create(id, { permissions }),
    takePermissions: (id, permissions) => m.users.permissions.delete(id, { permissions }),
    deleteUserOf: (connection, email) => m.connections.users.deleteByEmail(connection, { email }),
    logsOf: async (id) => every(await m.users.logs.list(id)),
    createClient: (body) => m.clients.create(body),
    client: (id) => m.clients.get(id),
    patchClient: (id, body) => m.clients.update(id, body),
    deleteClient: (id) => m.clients.delete(id),
    rotate: (id) => m.clients.rotateSecret(id),
    everyClient: async () => every(await m.clients.list({ per_page: 2 })),
    connections: async (query) => every(await m.connections.list(query)),
    connection: (id) => m.connections.get(id),
    createConnection: (body) => m.connections.create(body),
    patchConnection: (id, body) => m.connections.update(id, body),
    deleteConnection: (id) => m.connections.delete(id),
    createGrant: (body) => m.clientGrants.create(body),
    patchGrant: (id, body) => m.clientGrants.update(id, body),
    deleteGrant: (id) => m.clientGrants.delete(id),
    grants: async (query) => every(await m.clientGrants.list(query)),
    importUsers: ({ rows, connection_id, upsert }) =>
      m.jobs.usersImports.create({
        users: new File([JSON.stringify(rows)], "users.json", { type: "application/json" }),
        connection_id,
        upsert,
      }),
    // Without a known length, so the request goes out in chunks.
    importStream: ({ path, connection_id }) =>
      m.jobs.usersImports.create({
        users: { data: createReadStream(path).pipe(new PassThrough()), filename: "users.json", contentType: "application/json" },
        connection_id,
      }),
    exportUsers: (body) => m.jobs.usersExports.create(body),
    verifyEmail: (body) => m.jobs.verificationEmail.create(body),
    job: (id) => m.jobs.get(id),
    jobErrors: (id) => m.jobs.errors.get(id),
    rules: () => m.rules.list(),
  };
};

process.exitCode = (await run("node-auth0-7", make)) === 0 ? 0 : 1;
