// npm auth0-deploy-cli: what it exports goes back in and comes out the same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManagementClient } from "auth0";
import { env } from "./battery.mjs";

const folder = mkdtempSync(join(tmpdir(), "dossier-deploy-"));
const api = new ManagementClient({ domain: env.domain, clientId: env.id, clientSecret: env.secret });
let failed = 0;

async function it(claim, check) {
  try {
    await check();
    console.log(`ok - auth0-deploy-cli: ${claim}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - auth0-deploy-cli: ${claim}\n    ${error.stack.replaceAll("\n", "\n    ")}`);
  }
}

const program = join(import.meta.dirname, "node_modules", ".bin", "a0deploy");

function deploy(args, more) {
  const options = {
    cwd: folder,
    timeout: 240_000,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS,
      AUTH0_DOMAIN: env.domain,
      AUTH0_CLIENT_ID: env.id,
      AUTH0_CLIENT_SECRET: env.secret,
      AUTH0_AUDIENCE: `https://${env.domain}/api/v2/`,
      ...more,
    },
  };
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, out, err) => {
      if (error) reject(new Error(`a0deploy ${args.join(" ")}\n${out}\n${err}`, { cause: error }));
      else resolve(`${out}\n${err}`);
    });
  });
}

const onlyClients = { AUTH0_INCLUDED_ONLY: '["clients"]', AUTH0_ALLOW_DELETE: "true" };
const take = (name) => deploy(["export", "-f", "directory", "-o", name], onlyClients);
const give = (name) => deploy(["import", "-i", name], onlyClients);

/** Every file of an export, by its name. */
function files(name) {
  const root = join(folder, name);
  const all = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    all.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(root.length + 1), readFileSync(path, "utf8")];
    }).toSorted(([left], [right]) => (left < right ? -1 : 1)),
  );
}

const shop = await api.clients.create({
  name: "Deployed Shop",
  description: "sells things",
  app_type: "regular_web",
  callbacks: ["https://shop.example/back"],
  client_metadata: { colour: "red", size: "L" },
});
await api.clients.create({ name: "Deployed Bare" });
await api.clients.create({ name: "Deployed Emptied", client_metadata: { last: "one" } });

await it("clients exported, imported and exported again are the same", async () => {
  await take("first");
  assert.ok(files("first")["clients/Deployed Shop.json"].includes('"colour": "red"'));
  await give("first");
  await take("second");
  assert.deepEqual(files("second"), files("first"));
});

await it("a key that is gone from the file is removed, an emptied bag is emptied", async () => {
  const path = (name) => join(folder, "second", "clients", name);
  const edit = (name, change) => {
    const client = JSON.parse(readFileSync(path(name), "utf8"));
    change(client);
    writeFileSync(path(name), JSON.stringify(client, null, 2));
  };
  edit("Deployed Shop.json", (client) => {
    client.client_metadata = { colour: "blue", added: "yes" };
    client.description = "sells more";
  });
  edit("Deployed Emptied.json", (client) => {
    client.client_metadata = {};
  });
  await give("second");
  const after = await api.clients.get(shop.client_id);
  assert.deepEqual(after.client_metadata, { colour: "blue", added: "yes" });
  assert.equal(after.description, "sells more");
  await take("third");
  const { client_metadata } = JSON.parse(files("third")["clients/Deployed Emptied.json"]);
  assert.deepEqual(client_metadata, {});
  assert.deepEqual(
    JSON.parse(files("third")["clients/Deployed Shop.json"]),
    JSON.parse(files("second")["clients/Deployed Shop.json"]),
  );
});

await it("an export of everything succeeds", async () => {
  await deploy(["export", "-f", "yaml", "-o", "everything"], {});
  assert.ok(existsSync(join(folder, "everything", "tenant.yaml")));
  const text = readFileSync(join(folder, "everything", "tenant.yaml"), "utf8");
  for (const part of ["Deployed Shop", "Username-Password-Authentication"]) assert.ok(text.includes(part), part);
});

rmSync(folder, { recursive: true });
process.exitCode = failed === 0 ? 0 : 1;
