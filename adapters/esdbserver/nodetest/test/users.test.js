import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AccessDeniedError, UnknownError } from "@eventstore/db-client";
import { collect, events, newStream, start } from "../helper.js";

const id = "0192f0c1-2b3c-7d4e-8f50-617283940516";
let node;
before(async () => { node = await start({ tls: true }); });
after(() => node.stop());

test("an app appends domain events, but never to the coordinator's streams", async () => {
  const app = node.connect("app");
  await app.appendToStream(newStream(), events(1));
  // What is reserved is the exact shape of a name.
  for (const name of ["run-1", "plan-b", "saga-1", "snapshot-1"]) await app.appendToStream(name, events(1));
  for (const name of [`run-${id}`, `plan-${"0a".repeat(32)}`, `snapshot-${id}`, "atone-1", "$system", `$$run-${id}`]) {
    await assert.rejects(app.appendToStream(name, events(1)), AccessDeniedError, name);
    await assert.rejects(app.appendToStream(name, events(1), { credentials: { username: "app", password: "changeit" } }), AccessDeniedError, name);
  }
});

test("not even an admin appends to the coordinator's streams", async () => {
  await assert.rejects(node.connect("admin").appendToStream(`run-${id}`, events(1)), AccessDeniedError);
});

test("a reader reads and appends nothing", async () => {
  const stream = newStream();
  await node.connect("admin").appendToStream(stream, events(2));
  const reader = node.connect("reader");
  assert.equal((await collect(reader.readStream(stream))).length, 2);
  await assert.rejects(reader.appendToStream(stream, events(1)), AccessDeniedError);
  await assert.rejects(reader.deleteStream(stream), AccessDeniedError);
});

test("nobody in particular gets nothing", async () => {
  await assert.rejects(collect(node.connect().readAll()), AccessDeniedError);
});

test("a wrong password is refused", async () => {
  const client = node.connect("admin");
  const wrong = { credentials: { username: "admin", password: "wrong" } };
  await assert.rejects(client.appendToStream(newStream(), events(1), wrong), (err) => err instanceof UnknownError || /16|UNAUTH/.test(String(err)));
});
