// npm auth0 4, by the name auth0-v4.
import { openAsBlob } from "node:fs";
import { ManagementClient } from "auth0-v4";
import { run } from "./battery.mjs";

const data = async (answer) => (await answer).data;

// This SDK has no pager: its users turn the pages until one is empty.
async function every(list, query) {
  const all = [];
  for (let page = 0; ; page += 1) {
    const items = await data(list({ ...query, page }));
    if (items.length === 0) return all;
    all.push(...items);
  }
}

const make = (options) => {
  const m = new ManagementClient(options);
  const api = Object.fromEntries([400, 401, 403, 404, 409].map((status) => [status, "ManagementApiError"]));
  return {
    classes: api,
    fault: (error) => ({
      class: error.constructor.name,
      status: error.statusCode,
      code: error.errorCode,
      message: error.msg,
      raw: String(error),
    }),
    createUser: (body) => data(m.users.create(body)),
    user: (id) => data(m.users.get({ id })),
    patchUser: (id, body) => data(m.users.update({ id }, body)),
    deleteUser: (id) => m.users.delete({ id }),
    userPage: async (query) => data(m.users.getAll({ ...query, include_totals: true })),
    everyUser: (query) => every((page) => m.users.getAll(page), query),
    byEmail: (email) => data(m.usersByEmail.getByEmail({ email })),
    link: (id, body) => data(m.users.link({ id }, body)),
    unlink: (id, provider, user_id) => data(m.users.unlink({ id, provider, user_id })),
    rolesOf: (id) => data(m.users.getRoles({ id })),
    permissionsOf: (id) => data(m.users.getPermissions({ id })),
    giveRoles: (id, roles) => m.users.assignRoles({ id }, { roles }),
    takeRoles: (id, roles) => m.users.deleteRoles({ id }, { roles }),
    givePermissions: (id, permissions) => m.users.assignPermissions({ id }, { permissions }),
    takePermissions: (id, permissions) => m.users.deletePermissions({ id }, { permissions }),
    deleteUserOf: (id, email) => m.connections.deleteUserByEmail({ id, email }),
    logsOf: (id) => data(m.users.getLogs({ id })),
    createClient: (body) => data(m.clients.create(body)),
    client: (client_id) => data(m.clients.get({ client_id })),
    patchClient: (client_id, body) => data(m.clients.update({ client_id }, body)),
    deleteClient: (client_id) => m.clients.delete({ client_id }),
    rotate: (client_id) => data(m.clients.rotateClientSecret({ client_id })),
    everyClient: () => every((page) => m.clients.getAll(page), { per_page: 2 }),
    connections: (query) => data(m.connections.getAll(query)),
    connection: (id) => data(m.connections.get({ id })),
    createConnection: (body) => data(m.connections.create(body)),
    patchConnection: (id, body) => data(m.connections.update({ id }, body)),
    deleteConnection: (id) => m.connections.delete({ id }),
    createGrant: (body) => data(m.clientGrants.create(body)),
    patchGrant: (id, body) => data(m.clientGrants.update({ id }, body)),
    deleteGrant: (id) => m.clientGrants.delete({ id }),
    grants: (query) => data(m.clientGrants.getAll(query)),
    importUsers: ({ rows, connection_id, upsert }) =>
      data(m.jobs.importUsers({ users: new Blob([JSON.stringify(rows)], { type: "application/json" }), connection_id, upsert })),
    importStream: async ({ path, connection_id }) =>
      data(m.jobs.importUsers({ users: await openAsBlob(path, { type: "application/json" }), connection_id })),
    exportUsers: (body) => data(m.jobs.exportUsers(body)),
    verifyEmail: (body) => data(m.jobs.verifyEmail(body)),
    job: (id) => data(m.jobs.get({ id })),
    jobErrors: (id) => data(m.jobs.getErrors({ id })),
    rules: () => data(m.rules.getAll()),
  };
};

process.exitCode = (await run("node-auth0-4", make)) === 0 ? 0 : 1;
