// Starts the test server and connects the official client to it.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { EventStoreDBClient, jsonEvent } from "@eventstore/db-client";

// start returns an empty server; with tls it also has the users admin, app and reader.
export async function start({ tls = false } = {}) {
  const cert = join(process.env.SCRATCH, `${randomUUID()}.pem`);
  const server = spawn(process.env.SERVER, tls ? ["-tls", cert] : [], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: server.stdout });
  const [address] = await new Promise((resolve) => lines.once("line", (l) => resolve([l])));
  const port = address.split(":").pop();
  const clients = [];
  return {
    port,
    connect(user) {
      const url = tls
        ? `esdb://${user ? `${user}:changeit@` : ""}localhost:${port}?tls=true&tlsCAFile=${cert}`
        : `esdb://localhost:${port}?tls=false`;
      const client = EventStoreDBClient.connectionString(url);
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) await client.dispose();
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.stdin.end(); // the server ends with its input
      await ended;
    },
  };
}

// events makes n events of the type.
export const events = (n, type = "Happened") =>
  Array.from({ length: n }, (_, i) =>
    jsonEvent({ type, data: { n: i }, metadata: { $correlationId: `c${i}` } })
  );

// collect reads until the iterator ends or limit events are there.
export async function collect(stream, limit = Infinity) {
  const out = [];
  for await (const e of stream) {
    out.push(e);
    if (out.length >= limit) break;
  }
  return out;
}

let streams = 0;
export const newStream = (category = "order") => `${category}-${++streams}`;
