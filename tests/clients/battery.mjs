// What every SDK of Auth0 must be able to do, once for all of them.
//
// An adapter (node7.mjs, node4.mjs) says how its SDK spells each call; the claims are here.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const CONNECTION = "Username-Password-Authentication";
const PASSWORD = "correct horse 9";

export const env = {
  domain: process.env.DOSSIER_DOMAIN,
  id: process.env.DOSSIER_CLIENT_ID,
  secret: process.env.DOSSIER_CLIENT_SECRET,
};

/** Runs all claims about an SDK and prints one line for each. */
export async function run(name, make) {
  const sdk = make({ domain: env.domain, clientId: env.id, clientSecret: env.secret });
  const mark = `${name}-${randomUUID().slice(0, 8)}`;
  const address = (who) => `${mark}.${who}@example.com`;
  const jane = (who, more = {}) =>
    sdk.createUser({ connection: CONNECTION, email: address(who), password: PASSWORD, ...more });
  let failed = 0;
  const it = async (claim, check) => {
    try {
      await check();
      console.log(`ok - ${name}: ${claim}`);
    } catch (error) {
      failed += 1;
      const detail = error.stack ?? String(error);
      console.log(`not ok - ${name}: ${claim}\n    ${detail.replaceAll("\n", "\n    ")}`);
      if (error.body) console.log(`    body: ${JSON.stringify(error.body)}`);
    }
  };
  /** What an SDK makes of a refusal: its class, and the three members its users look at. */
  const refused = async (expected, call) => {
    const started = Date.now();
    const fault = await call().then(() => assert.fail("it was not refused"), sdk.fault);
    for (const [key, value] of Object.entries(expected)) {
      if (value instanceof RegExp) assert.match(fault[key], value);
      else assert.deepEqual(fault[key], value, `${key} of ${JSON.stringify(fault)}`);
    }
    assert.ok(Date.now() - started < 5000, "a refusal takes less than five seconds");
  };

  await it("a token is fetched with the client's credentials, and used", async () => {
    assert.ok(Array.isArray((await sdk.userPage({ per_page: 1 })).users));
  });

  await it("a user is created, read, updated and deleted", async () => {
    const user = await jane("crud", { given_name: "Jane" });
    assert.match(user.user_id, /^auth0\|[0-9a-f]{24}$/);
    assert.equal(user.name, address("crud"));
    assert.equal(user.created_at, user.updated_at);
    assert.deepEqual(await sdk.user(user.user_id), user);
    const patched = await sdk.patchUser(user.user_id, { given_name: "Joan", blocked: true });
    assert.equal(patched.given_name, "Joan");
    assert.equal(patched.blocked, true);
    await sdk.deleteUser(user.user_id);
    await sdk.deleteUser(user.user_id);
    await refused({ status: 404 }, () => sdk.user(user.user_id));
  });

  await it("metadata is merged at the first level only (m1, m2, m4, m8, m9, m10)", async () => {
    const { user_id: id } = await jane("merge", { user_metadata: { hobby: "surfing" } });
    const patch = async (bag) => (await sdk.patchUser(id, { user_metadata: bag })).user_metadata;
    assert.deepEqual(await patch({ addresses: { home: "1" } }), { hobby: "surfing", addresses: { home: "1" } });
    assert.deepEqual(await patch({ addresses: { work: "2" } }), { hobby: "surfing", addresses: { work: "2" } });
    assert.deepEqual(await patch({ addresses: [1, 2] }), { hobby: "surfing", addresses: [1, 2] });
    assert.deepEqual(await patch({ addresses: [3] }), { hobby: "surfing", addresses: [3] });
    assert.deepEqual(await patch({ addresses: { a: null } }), { hobby: "surfing", addresses: { a: null } });
    const user = await sdk.patchUser(id, { app_metadata: { plan: "full" } });
    assert.deepEqual(user.app_metadata, { plan: "full" });
    assert.deepEqual(user.user_metadata, { hobby: "surfing", addresses: { a: null } });
  });

  await it("null removes a key, {} empties a bag (m3, m5, m6, m7, m11, m13)", async () => {
    const bags = (bag) => ({ user_metadata: bag, app_metadata: bag });
    const { user_id: id } = await jane("removal", bags({ foo: "bar", baz: "qux" }));
    let user = await sdk.patchUser(id, bags({ baz: null, foo: "bars", nothing: null }));
    assert.deepEqual([user.user_metadata, user.app_metadata], [{ foo: "bars" }, { foo: "bars" }]);
    user = await sdk.patchUser(id, { user_metadata: { foo: null } });
    assert.deepEqual(user.user_metadata, {});
    user = await sdk.patchUser(id, bags({}));
    assert.deepEqual(user.user_metadata, {});
    assert.equal("app_metadata" in user, false);
    const empty = await jane("empty", bags({}));
    assert.deepEqual(empty.user_metadata, {});
    assert.equal("app_metadata" in empty, false);
  });

  await it("fifty changes of one user at once are all merged", async () => {
    const { user_id: id } = await jane("fifty");
    const all = Array.from({ length: 50 }, (_, at) => at);
    await Promise.all(all.map((at) => sdk.patchUser(id, { user_metadata: { [`key${at}`]: at } })));
    const user = await sdk.user(id);
    assert.deepEqual(user.user_metadata, Object.fromEntries(all.map((at) => [`key${at}`, at])));
  });

  // Where an SDK shows the headers of an answer.
  if (sdk.userWithTag) {
    await it("fifty writers at once count with If-Match, and no count is lost", async () => {
      const [writers, each] = [50, 4];
      const { user_id: id } = await jane("counted", { app_metadata: { n: 0 } });
      let refusals = 0;
      const add = async () => {
        for (;;) {
          const { user, tag } = await sdk.userWithTag(id);
          const body = { app_metadata: { n: user.app_metadata.n + 1 } };
          const fault = await sdk.patchUserAt(id, body, tag).then(() => undefined, sdk.fault);
          if (!fault) return;
          assert.equal(fault.status, 412, JSON.stringify(fault));
          refusals += 1;
        }
      };
      const count = async () => {
        for (let at = 0; at < each; at += 1) await add();
      };
      await Promise.all(Array.from({ length: writers }, count));
      assert.equal((await sdk.user(id)).app_metadata.n, writers * each);
      assert.ok(refusals > 0, "they met each other");
    });
  }

  await it("a pager meets 120 users once each, and stops", async () => {
    const made = [];
    for (let at = 0; at < 120; at += 20) {
      const some = Array.from({ length: 20 }, (_, next) => jane(`pager${at + next}`, { user_metadata: { run: mark } }));
      made.push(...(await Promise.all(some)).map((user) => user.user_id));
    }
    const q = `user_metadata.run:"${mark}"`;
    for (const per_page of [undefined, 50, 40, 7]) {
      const met = (await sdk.everyUser({ q, per_page })).map((user) => user.user_id);
      assert.deepEqual(met.toSorted(), made.toSorted(), `pages of ${per_page}`);
    }
    assert.ok((await sdk.everyUser({ per_page: 100 })).length >= 120);
    const page = await sdk.userPage({ q, page: 1, per_page: 50, sort: "email:1" });
    assert.equal(page.users.length, 50);
    if (page.total !== undefined) {
      assert.deepEqual([page.total, page.start, page.limit, page.length], [120, 50, 50, 50]);
    }
    const beyond = await sdk.userPage({ q, page: 9, per_page: 50 });
    assert.deepEqual(beyond.users, []);
  });

  await it("search finds what was written the moment before", async () => {
    const user = await jane("search", { username: undefined, app_metadata: { plan: { name: "full" }, seats: 12 }, name: "Jane Smith" });
    const email = `email:"${address("search")}"`;
    const find = async (q) => (await sdk.userPage({ q })).users.map((found) => found.user_id);
    for (const q of [
      email,
      email.toUpperCase().replace("EMAIL", "email"),
      `email:${mark}.sear*`,
      `${email} AND name:"jane smith"`,
      `${email} AND app_metadata.plan.name:full`,
      `${email} AND app_metadata.seats:[10 TO 20}`,
      `${email} AND _exists_:app_metadata.seats AND NOT _exists_:logins_count`,
      `${email} AND (identities.connection:"${CONNECTION}" OR blocked:true)`,
    ]) {
      assert.deepEqual(await find(q), [user.user_id], q);
    }
    assert.deepEqual(await find(`${email} AND app_metadata.seats:13`), []);
    await sdk.patchUser(user.user_id, { app_metadata: { seats: 13 } });
    assert.deepEqual(await find(`${email} AND app_metadata.seats:13`), [user.user_id]);
    const [cut] = (await sdk.userPage({ q: email, fields: "user_id,app_metadata", include_fields: true })).users;
    assert.deepEqual(Object.keys(cut).toSorted(), ["app_metadata", "user_id"]);
    await refused({ status: 400, code: "invalid_query_string" }, () => sdk.userPage({ q: "email:(" }));
  });

  await it("users are found by e-mail address, and nobody is an empty array", async () => {
    const user = await jane("mail+tag");
    assert.deepEqual((await sdk.byEmail(address("mail+tag"))).map((found) => found.user_id), [user.user_id]);
    assert.deepEqual(await sdk.byEmail(address("nobody")), []);
  });

  await it("identities are linked and unlinked", async () => {
    const primary = await jane("primary", { user_metadata: { kept: true } });
    const second = await jane("second", { user_metadata: { lost: true }, nickname: "sec" });
    const bare = second.user_id.split("|")[1];
    const linked = await sdk.link(primary.user_id, { provider: "auth0", user_id: second.user_id });
    assert.deepEqual(linked.map((one) => one.user_id), [primary.user_id.split("|")[1], bare]);
    assert.equal(linked[1].profileData.nickname, "sec");
    await refused({ status: 404 }, () => sdk.user(second.user_id));
    assert.deepEqual((await sdk.user(primary.user_id)).user_metadata, { kept: true });
    const rest = await sdk.unlink(primary.user_id, "auth0", bare);
    assert.equal(rest.length, 1);
    const again = await sdk.user(second.user_id);
    assert.equal(again.email, address("second"));
    assert.equal("user_metadata" in again, false);
  });

  await it("what hangs on a user is there and empty", async () => {
    const { user_id: id } = await jane("hanging");
    assert.deepEqual(await sdk.rolesOf(id), []);
    assert.deepEqual(await sdk.permissionsOf(id), []);
    assert.deepEqual(await sdk.logsOf(id), []);
  });

  await it("roles and permissions are given, listed and taken", async () => {
    const { user_id: id } = await jane("granted");
    const api = `https://${env.domain}/api/v2/`;
    await sdk.giveRoles(id, ["rol_b", "rol_a"]);
    assert.deepEqual((await sdk.rolesOf(id)).map((role) => role.id), ["rol_a", "rol_b"]);
    await sdk.takeRoles(id, ["rol_b"]);
    assert.deepEqual((await sdk.rolesOf(id)).map((role) => role.name), ["rol_a"]);
    const one = { resource_server_identifier: api, permission_name: "read:users" };
    await sdk.givePermissions(id, [one]);
    const [found] = await sdk.permissionsOf(id);
    assert.equal(found.permission_name, "read:users");
    assert.equal(found.resource_server_identifier, api);
    assert.equal(found.sources[0].source_type, "DIRECT");
    await sdk.takePermissions(id, [one]);
    assert.deepEqual(await sdk.permissionsOf(id), []);
  });

  await it("a user is deleted by address at their database", async () => {
    const user = await jane("by-address");
    const [database] = await sdk.connections({ name: "Username-Password-Authentication" });
    await sdk.deleteUserOf(database.id, user.email);
    await refused({ status: 404 }, () => sdk.user(user.user_id));
  });

  await it("a client is created, read, updated, given another secret, and deleted", async () => {
    const client = await sdk.createClient({ name: mark, client_metadata: { bar: "baz", foo: "zoo" } });
    assert.match(client.client_id, /^[A-Za-z0-9]{32}$/);
    assert.equal(client.client_secret.length, 64);
    const id = client.client_id;
    const patched = await sdk.patchClient(id, { client_metadata: { bar: null, foo: "n", newBar: "x" } });
    assert.deepEqual(patched.client_metadata, { foo: "n", newBar: "x" });
    assert.deepEqual((await sdk.patchClient(id, { client_metadata: {} })).client_metadata, {});
    assert.deepEqual((await sdk.patchClient(id, { app_type: "spa", description: "" })).app_type, "spa");
    assert.notEqual((await sdk.rotate(id)).client_secret, client.client_secret);
    assert.ok((await sdk.everyClient()).some((one) => one.client_id === id));
    assert.ok((await sdk.everyClient()).some((one) => one.global));
    await sdk.deleteClient(id);
    await refused({ status: 404, code: "inexistent_client" }, () => sdk.client(id));
  });

  await it("the limits of client_metadata are told", async () => {
    const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`k${at}`, "v"]));
    const message = /^Payload validation error: 'Too many properties defined \(11\), maximum 10'/;
    await refused({ status: 400, code: "invalid_body", message }, () =>
      sdk.createClient({ name: mark, client_metadata: eleven }));
  });

  await it("connections are listed by name, created, updated and deleted", async () => {
    const [own] = await sdk.connections({ name: CONNECTION });
    assert.match(own.id, /^con_[A-Za-z0-9]{16}$/);
    assert.equal(own.strategy, "auth0");
    const made = await sdk.createConnection({ name: `c-${randomUUID().slice(0, 8)}`, strategy: "auth0" });
    await sdk.patchConnection(made.id, { options: { requires_username: true } });
    assert.equal((await sdk.connection(made.id)).options.requires_username, true);
    await sdk.deleteConnection(made.id);
    await refused({ status: 404, code: "inexistent_connection" }, () => sdk.connection(made.id));
  });

  await it("a grant gives a client its scopes and no others", async () => {
    const client = await sdk.createClient({ name: `${mark}-m2m`, app_type: "non_interactive", grant_types: ["client_credentials"] });
    const audience = `https://${env.domain}/api/v2/`;
    const grant = await sdk.createGrant({ client_id: client.client_id, audience, scope: ["read:users"] });
    assert.match(grant.id, /^cgr_/);
    const theirs = await sdk.grants({ client_id: client.client_id });
    assert.deepEqual(theirs.map((one) => [one.id, one.audience]), [[grant.id, audience]]);
    const limited = make({ domain: env.domain, clientId: client.client_id, clientSecret: client.client_secret });
    assert.ok(Array.isArray((await limited.userPage({ per_page: 1 })).users));
    await refused(
      { status: 403, code: "insufficient_scope", message: "Insufficient scope, expected any of: create:clients", class: sdk.classes[403] },
      () => limited.createClient({ name: "x" }),
    );
    await sdk.patchGrant(grant.id, { scope: ["read:users", "read:clients"] });
    await sdk.deleteGrant(grant.id);
    assert.deepEqual(await sdk.grants({ client_id: client.client_id }), []);
    await sdk.deleteClient(client.client_id);
  });

  const done = async (job) => {
    const deadline = Date.now() + 20_000;
    while (Date.now() < deadline) {
      const now = await sdk.job(job.id);
      if (now.status === "completed" || now.status === "failed") return now;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail("the job is not done after twenty seconds");
  };

  await it("a client proves who it is with a key instead of a secret", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const credentials = [{ credential_type: "public_key", name: mark, pem: publicKey }];
    const client = await sdk.createClient({ name: `${mark}-key`, client_authentication_methods: { private_key_jwt: { credentials } } });
    await sdk.createGrant({ client_id: client.client_id, audience: `https://${env.domain}/api/v2/`, scope: ["read:users"] });
    const own = make({ domain: env.domain, clientId: client.client_id, clientAssertionSigningKey: privateKey });
    assert.ok(Array.isArray((await own.userPage({ per_page: 1 })).users));
    await sdk.deleteClient(client.client_id);
  });

  await it("a file of users is imported as it is read", async () => {
    const [{ id: connection_id }] = await sdk.connections({ name: CONNECTION });
    const folder = mkdtempSync(join(tmpdir(), "dossier-import-"));
    const path = join(folder, "users.json");
    const bag = { text: "x".repeat(5000) };
    writeFileSync(path, JSON.stringify(Array.from({ length: 40 }, (_, at) => ({ email: address(`s${at}`), app_metadata: bag }))));
    try {
      const { status, summary } = await done(await sdk.importStream({ path, connection_id }));
      assert.deepEqual([status, summary], ["completed", { failed: 0, updated: 0, inserted: 40, total: 40 }]);
      assert.deepEqual((await sdk.byEmail(address("s39")))[0].app_metadata, bag);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  await it("users are imported, and what went wrong is told row by row", async () => {
    const [{ id: connection_id }] = await sdk.connections({ name: CONNECTION });
    const rows = ["i1", "i2"].map((who) => ({ email: address(who), email_verified: true, user_metadata: { run: `${mark}-i` } }));
    const first = await sdk.importUsers({ rows, connection_id, upsert: false });
    assert.deepEqual([first.type, first.status], ["users_import", "pending"]);
    assert.match(first.id, /^job_[A-Za-z0-9]{16}$/);
    const { status, summary } = await done(first);
    assert.deepEqual([status, summary], ["completed", { failed: 0, updated: 0, inserted: 2, total: 2 }]);
    assert.equal((await sdk.everyUser({ q: `user_metadata.run:"${mark}-i"` })).length, 2);
    const second = await done(await sdk.importUsers({ rows: rows.slice(1), connection_id, upsert: false }));
    assert.equal(second.summary.failed, 1);
    const [row] = await sdk.jobErrors(second.id);
    assert.equal(row.user.email, address("i2"));
    assert.equal(row.errors[0].code, "DUPLICATED_USER");
    const upserted = [{ email: address("i2"), user_metadata: { other: 1 } }];
    const third = await done(await sdk.importUsers({ rows: upserted, connection_id, upsert: true }));
    assert.equal(third.summary.updated, 1);
    assert.deepEqual((await sdk.byEmail(address("i2")))[0].user_metadata, { other: 1 });

    const job = await sdk.exportUsers({ connection_id, format: "json", fields: [{ name: "email" }, { name: "user_metadata.run", export_as: "run" }] });
    assert.deepEqual([job.type, job.status], ["users_export", "pending"]);
    const { location } = await done(job);
    const response = await fetch(location);
    assert.equal(response.status, 200);
    const lines = gunzipSync(Buffer.from(await response.arrayBuffer())).toString().trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.find((line) => line.email === address("i1")).run, `${mark}-i`);
  });

  await it("a verification e-mail is a job", async () => {
    const { user_id } = await jane("verify");
    const job = await sdk.verifyEmail({ user_id });
    assert.deepEqual([job.type, job.status], ["verification_email", "pending"]);
    assert.equal((await sdk.job(job.id)).id, job.id);
  });

  await it("404: a user that is not there", () =>
    refused(
      { status: 404, code: "inexistent_user", message: "The user does not exist.", class: sdk.classes[404] },
      () => sdk.user("auth0|000000000000000000000000"),
    ));

  await it("409: a user that exists", async () => {
    await jane("twice");
    await refused(
      { status: 409, code: "auth0_idp_error", message: "The user already exists.", class: sdk.classes[409] },
      () => jane("twice"),
    );
  });

  await it("400: a body that is not right", () =>
    refused(
      { status: 400, code: "invalid_body", message: /^Payload validation error: 'Object didn't pass validation for format email: none'/, class: sdk.classes[400] },
      () => sdk.createUser({ connection: CONNECTION, email: "none", password: PASSWORD }),
    ));

  await it("400: a page larger than allowed", () =>
    refused(
      { status: 400, code: "invalid_query_string", message: /^Query validation error: 'Value 1000 is greater than maximum 100' on property per_page/ },
      () => sdk.userPage({ per_page: 1000 }),
    ));

  await it("401: a token of somebody else", () => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const token = `${part({ alg: "RS256", typ: "JWT" })}.${part({ sub: "x" })}.${"a".repeat(342)}`;
    return refused({ status: 401, class: sdk.classes[401] }, () => make({ domain: env.domain, token }).user("auth0|1"));
  });

  await it("401: a wrong secret", () =>
    refused({ status: 401 }, () => make({ domain: env.domain, clientId: env.id, clientSecret: "wrong" }).user("auth0|1")));

  await it("403: what is Auth0's and not served here", () =>
    refused({ status: 403, code: "insufficient_scope", class: sdk.classes[403] }, () => sdk.rules()));

  return failed;
}
