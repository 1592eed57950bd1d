import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  PARK, RETRY, ROUND_ROBIN, SKIP, START,
  PersistentSubscriptionDoesNotExistError, PersistentSubscriptionExistsError, PersistentSubscriptionMaximumSubscribersReachedError,
  persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults, streamNameFilter,
} from "@eventstore/db-client";
import { events, newStream, start } from "../helper.js";

let node, client;
before(async () => {
  node = await start();
  client = node.connect();
});
after(() => node.stop());

const settings = (s = {}) => persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...s });

// handle lets decide settle each event until it returns true.
async function handle(subscription, decide) {
  for await (const e of subscription) {
    if (await decide(e)) break;
  }
}

test("a group acks, retries, parks and replays", async () => {
  const stream = newStream();
  await client.appendToStream(stream, events(4));
  await client.createPersistentSubscriptionToStream(stream, "g", settings());
  await assert.rejects(client.createPersistentSubscriptionToStream(stream, "g", settings()), PersistentSubscriptionExistsError);

  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, "g", { bufferSize: 1 });
  const seen = [];
  let replayed = false;
  await handle(subscription, async (e) => {
    const n = e.event.data.n;
    seen.push([n, e.retryCount]);
    if (replayed) {
      await subscription.ack(e);
      return true;
    }
    if (n === 0) await subscription.ack(e);
    if (n === 1) await (e.retryCount === 0 ? subscription.nack(RETRY, "again", e) : subscription.ack(e));
    if (n === 2) await subscription.nack(PARK, "broken", e);
    if (n === 3) {
      await subscription.nack(SKIP, "not now", e);
      for (;;) { // until the link is durable
        const info = await client.getPersistentSubscriptionToStreamInfo(stream, "g");
        if (info.stats.parkedMessageCount === 1n) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
      replayed = true;
      await client.replayParkedMessagesToStream(stream, "g");
    }
    return false;
  });
  assert.deepEqual(seen, [[0, 0], [1, 0], [1, 1], [2, 0], [3, 0], [2, 0]]);
  await client.deletePersistentSubscriptionToStream(stream, "g");
  await assert.rejects(client.getPersistentSubscriptionToStreamInfo(stream, "g"), PersistentSubscriptionDoesNotExistError);
});

test("a group over all streams filters, and two consumers share the work", async () => {
  const stream = newStream("shared");
  await client.createPersistentSubscriptionToAll("workers", persistentSubscriptionToAllSettingsFromDefaults({
    startFrom: START, consumerStrategyName: ROUND_ROBIN,
  }), { filter: streamNameFilter({ prefixes: ["shared-"] }) });
  const subscriptions = [1, 2].map(() => client.subscribeToPersistentSubscriptionToAll("workers"));
  const seen = new Map();
  const done = Promise.all(subscriptions.map((s, i) => handle(s, async (e) => {
    assert.equal(seen.has(e.event.id), false);
    seen.set(e.event.id, i);
    await s.ack(e);
    if (seen.size === 40) {
      for (const other of subscriptions) if (other !== s) await other.unsubscribe();
      return true;
    }
    return false;
  })));
  await client.appendToStream(stream, events(40));
  await done;
  assert.equal(seen.size, 40);
});

test("a group has at most as many consumers as it may", async () => {
  const stream = newStream();
  await client.createPersistentSubscriptionToStream(stream, "one", settings({ maxSubscriberCount: 1 }));
  await client.appendToStream(stream, events(1));
  const first = client.subscribeToPersistentSubscriptionToStream(stream, "one");
  await handle(first, async (e) => {
    await first.ack(e);
    const second = client.subscribeToPersistentSubscriptionToStream(stream, "one");
    await assert.rejects(handle(second, () => true), PersistentSubscriptionMaximumSubscribersReachedError);
    return true;
  });
});

test("groups are listed, updated and restarted", async () => {
  const stream = newStream();
  await client.createPersistentSubscriptionToStream(stream, "listed", settings());
  await client.updatePersistentSubscriptionToStream(stream, "listed", settings({ maxRetryCount: 3 }));
  const [info] = await client.listPersistentSubscriptionsToStream(stream);
  assert.equal(info.groupName, "listed");
  assert.equal(info.settings.maxRetryCount, 3);
  await client.restartPersistentSubscriptionSubsystem();
  assert.ok((await client.listAllPersistentSubscriptions()).length >= 1);
});
