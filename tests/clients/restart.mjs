// Fifty writers through npm auth0 7 count with If-Match while the server is killed and started again.
//
// An answer that was lost may mean a change or none, so each writer has a key of its own beside the
// one of all: what is in it tells whether a count is still to be made.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { ManagementClient } from "auth0";

const [program, data] = process.argv.slice(2);
const [writers, each] = [50, 6];
const claim = "fifty writers count with If-Match through a kill -9, and no count is lost";

/** Starts the server and waits until it says where it is. */
async function start(listen, https) {
  const child = spawn(program, [
    "serve", "-o", "json", "--listen", listen, "--data-dir", data, "--set", `server.https_listen=${https}`,
  ], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface(child.stdout), "line");
  return { child, ...JSON.parse(line) };
}

async function kill(server) {
  const gone = once(server.child, "exit");
  server.child.kill("SIGKILL");
  await gone;
}

const place = (url) => new URL(url).host;

let server = await start("127.0.0.1:0", "127.0.0.1:0");
try {
  const admin = JSON.parse(readFileSync(`${data}/admin-client.json`, "utf8"));
  const { users } = new ManagementClient({
    domain: place(server.https), clientId: admin.client_id, clientSecret: admin.client_secret,
  });
  const made = await users.create({
    connection: "Username-Password-Authentication", email: "counted@example.com",
    password: "correct horse 9", app_metadata: { n: 0 },
  });
  const tally = { counted: 0, refused: 0, unanswered: 0 };
  const count = async (writer) => {
    const key = `w${writer}`;
    for (let number = 1; number <= each; ) {
      try {
        const { data: user, rawResponse } = await users.get(made.user_id).withRawResponse();
        const { n, [key]: own = 0 } = user.app_metadata;
        assert.ok(own === number - 1 || own === number, `${key} is ${own} before ${number}`);
        if (own === number - 1) {
          const headers = { "If-Match": rawResponse.headers.get("etag") };
          await users.update(made.user_id, { app_metadata: { n: n + 1, [key]: number } }, { headers });
        }
        number += 1;
        tally.counted += 1;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        if (error.statusCode === 412) {
          tally.refused += 1;
        } else {
          assert.equal(error.statusCode, undefined, `${error}`);
          tally.unanswered += 1;
          await pause(20);
        }
      }
    }
  };
  const all = Promise.all(Array.from({ length: writers }, (_, writer) => count(writer)));
  const half = (async () => {
    while (tally.counted < (writers * each) / 2) await pause(5);
    await kill(server);
    server = await start(place(server.url), place(server.https));
  })();
  await Promise.all([all, half]);
  const bag = (await users.get(made.user_id)).app_metadata;
  assert.equal(bag.n, writers * each);
  for (let writer = 0; writer < writers; writer += 1) assert.equal(bag[`w${writer}`], each);
  assert.ok(tally.refused > 0, "they met each other");
  assert.ok(tally.unanswered > 0, "the kill met them");
  console.log(`ok - restart: ${claim}`);
} catch (error) {
  console.log(`not ok - restart: ${claim}\n    ${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  await kill(server);
}
