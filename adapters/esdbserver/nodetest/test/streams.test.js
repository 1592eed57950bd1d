import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ANY, BACKWARDS, END, FORWARDS, NO_STREAM, START, STREAM_EXISTS,
  MaxAppendSizeExceededError, StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError,
  binaryEvent, jsonEvent, eventTypeFilter, streamNameFilter,
} from "@eventstore/db-client";
import { collect, events, newStream, start } from "../helper.js";

let node, client;
before(async () => {
  node = await start();
  client = node.connect();
});
after(() => node.stop());

// Credentials make this client append with the streaming call; without them it batches.
const modes = { batch: {}, single: { credentials: { username: "admin", password: "changeit" } } };

for (const [mode, options] of Object.entries(modes)) {
  const append = (stream, evs, expectedRevision) =>
    client.appendToStream(stream, evs, { ...options, ...(expectedRevision === undefined ? {} : { expectedRevision }) });

  test(`${mode}: each expected revision`, async () => {
    const stream = newStream();
    await assert.rejects(append(stream, events(1), STREAM_EXISTS), WrongExpectedVersionError);
    await assert.rejects(append(stream, events(1), 0n), WrongExpectedVersionError);
    const first = await append(stream, events(2), NO_STREAM);
    assert.equal(first.nextExpectedRevision, 1n);
    assert.ok(first.position.commit > 0n);
    assert.equal((await append(stream, events(1), 1n)).nextExpectedRevision, 2n);
    assert.equal((await append(stream, events(1), STREAM_EXISTS)).nextExpectedRevision, 3n);
    assert.equal((await append(stream, events(1), ANY)).nextExpectedRevision, 4n);
    await assert.rejects(append(stream, events(1), NO_STREAM), (err) => {
      assert.ok(err instanceof WrongExpectedVersionError);
      assert.equal(err.streamName, stream);
      assert.equal(err.expectedVersion, NO_STREAM);
      assert.equal(err.actualVersion, 4n);
      return true;
    });
    await assert.rejects(append(stream, events(1), 9n), (err) => {
      assert.equal(err.expectedVersion, 9n);
      assert.equal(err.actualVersion, 4n);
      return err instanceof WrongExpectedVersionError;
    });
  });

  test(`${mode}: a repeated append is one append`, async () => {
    const stream = newStream();
    const batch = events(3);
    const first = await append(stream, batch, NO_STREAM);
    const again = await append(stream, batch, NO_STREAM);
    assert.deepEqual(again.nextExpectedRevision, first.nextExpectedRevision);
    assert.equal((await append(stream, batch, ANY)).nextExpectedRevision, 2n);
    assert.equal((await collect(client.readStream(stream))).length, 3);
  });

  test(`${mode}: an append over the limit is refused by name`, async () => {
    const big = jsonEvent({ type: "Big", data: { x: "x".repeat(2 << 20) } });
    await assert.rejects(append(newStream(), [big], ANY), MaxAppendSizeExceededError);
  });
}

test("many appends at once keep their order in a stream", async () => {
  const stream = newStream();
  await Promise.all(events(200).map((e) => client.appendToStream(stream, e)));
  const read = await collect(client.readStream(stream));
  assert.deepEqual(read.map((e) => e.event.data.n), Array.from({ length: 200 }, (_, i) => i));
});

test("streams are read both ways, from the middle and by count", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(10));
  const numbers = async (options) => (await collect(client.readStream(stream, options))).map((e) => Number(e.event.revision));
  assert.deepEqual(await numbers({}), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await numbers({ direction: FORWARDS, fromRevision: 7n }), [7, 8, 9]);
  assert.deepEqual(await numbers({ direction: BACKWARDS, fromRevision: END, maxCount: 3 }), [9, 8, 7]);
  assert.deepEqual(await numbers({ direction: BACKWARDS, fromRevision: 1n }), [1, 0]);
  await assert.rejects(collect(client.readStream("nowhere")), StreamNotFoundError);
});

test("binary events and metadata come back byte for byte", async () => {
  const stream = newStream();
  const data = Uint8Array.from([0, 255, 1, 254]);
  await client.appendToStream(stream, binaryEvent({ type: "Bytes", data, metadata: data }));
  const [{ event }] = await collect(client.readStream(stream));
  assert.deepEqual([...event.data], [...data]);
  assert.deepEqual([...event.metadata], [...data]);
  assert.equal(event.isJson, false);
  assert.ok(Math.abs(event.created - Date.now()) < 60_000);
});

test("all streams are read both ways", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(3));
  const forwards = await collect(client.readAll({ direction: FORWARDS, fromPosition: START }));
  const backwards = await collect(client.readAll({ direction: BACKWARDS, fromPosition: END }));
  assert.deepEqual(backwards.map((e) => e.event.id), forwards.map((e) => e.event.id).reverse());
  const from = forwards.at(-2).event.position;
  assert.equal((await collect(client.readAll({ fromPosition: from }))).length, 2); // inclusive
  assert.equal((await collect(client.readAll({ direction: BACKWARDS, fromPosition: from, maxCount: 1 })))[0].event.id, forwards.at(-3).event.id); // exclusive
});

test("a filtered catch-up subscription gets what matches, checkpoints, and goes on live", async () => {
  const stream = newStream("filtered");
  await client.appendToStream(newStream("noise"), events(70));
  await client.appendToStream(stream, events(2));
  let checkpoints = 0;
  const subscription = client.subscribeToAll({
    fromPosition: START,
    filter: streamNameFilter({ prefixes: ["filtered-"], checkpointInterval: 1, checkpointReached: async () => { checkpoints++; } }),
  });
  const seen = [];
  for await (const e of subscription) {
    seen.push(e.event.streamId);
    if (seen.length === 2) await client.appendToStream(stream, events(1));
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [stream, stream, stream]);
  assert.ok(checkpoints >= 2, `${checkpoints} checkpoints`);
});

test("filters by pattern and by event type", async () => {
  await client.appendToStream(newStream("typed"), [...events(1, "TypeA"), ...events(1, "TypeB")]);
  const byType = client.subscribeToAll({ filter: eventTypeFilter({ regex: "^Type(?!B)" }) });
  assert.equal((await collect(byType, 1))[0].event.type, "TypeA");
  const byName = client.subscribeToAll({ filter: streamNameFilter({ regex: "^typed-\\d+$" }) });
  assert.deepEqual((await collect(byName, 2)).map((e) => e.event.type), ["TypeA", "TypeB"]);
});

test("a soft-deleted stream is not found, and goes on where it ended", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(3));
  await assert.rejects(client.deleteStream(stream, { expectedRevision: 1n }), WrongExpectedVersionError);
  await client.deleteStream(stream, { expectedRevision: 2n });
  await assert.rejects(collect(client.readStream(stream)), StreamNotFoundError);
  const next = await client.appendToStream(stream, events(1), { expectedRevision: NO_STREAM });
  assert.equal(next.nextExpectedRevision, 3n);
  assert.deepEqual((await collect(client.readStream(stream))).map((e) => e.event.revision), [3n]);
});

test("a tombstoned stream is gone for ever", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(1));
  await client.tombstoneStream(stream);
  await assert.rejects(collect(client.readStream(stream)), StreamDeletedError);
  await assert.rejects(client.appendToStream(stream, events(1)), StreamDeletedError);
  await assert.rejects(client.appendToStream(stream, events(1), modes.single), StreamDeletedError);
});

test("metadata truncates what is read", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(5));
  await client.setStreamMetadata(stream, { maxCount: 2, custom: "kept" });
  const { metadata } = await client.getStreamMetadata(stream);
  assert.equal(metadata.maxCount, 2);
  assert.equal(metadata.custom, "kept");
  assert.deepEqual((await collect(client.readStream(stream))).map((e) => e.event.revision), [3n, 4n]);
  await client.setStreamMetadata(stream, { truncateBefore: 4 });
  assert.deepEqual((await collect(client.readStream(stream))).map((e) => e.event.revision), [4n]);
});

test("category streams link to what they list", async () => {
  const stream = newStream("planet");
  await client.appendToStream(stream, events(2));
  const links = await collect(client.readStream("$ce-planet", { resolveLinkTos: true }));
  assert.deepEqual(links.map((e) => [e.link.streamId, e.event.streamId, e.event.revision]), [
    ["$ce-planet", stream, 0n], ["$ce-planet", stream, 1n],
  ]);
});

test("health and info are served on the same port", async () => {
  const health = await fetch(`http://localhost:${node.port}/health/live`);
  assert.equal(health.status, 204);
  const info = await (await fetch(`http://localhost:${node.port}/info`)).json();
  assert.match(info.dbVersion, /^\d+\.\d+\.\d+$/);
});
