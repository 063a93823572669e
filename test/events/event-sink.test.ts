import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, it, mock } from "node:test";
import { readEvent } from "../../shared/http/cloud-event.ts";
import { aManifest } from "../support/backups.ts";
import { ODD_NAMES } from "../support/odd-names.ts";
import type { SinkConfig } from "../../shared/events/sink-config.ts";
import { eventSink, httpEventSink, type SinkSettings } from "../../shared/events/event-sink.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";

const RUN = "backup-0123456789abcdef01234567";
const NOW = new Date("2026-11-22T01:00:30Z");
const never = new AbortController().signal;
const completed: OutcomeEvent = {
  type: "dev.dormouse.backup.completed",
  subject: "2026-11-22/hets2026-11-22-01-00.bak",
  data: aManifest(),
};

type Received = { readonly headers: IncomingHttpHeaders; readonly body: string };

/** A sink that answers with each status in turn, and with the last one from then on; 0 cuts the connection. */
async function sink(...statuses: readonly number[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const status = statuses[Math.min(received.length, statuses.length - 1)] ?? 202;
      received.push({ headers: request.headers, body });
      if (status === 0) return void request.socket.destroy();
      response.writeHead(status).end("an answer that is not read");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    received,
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}

function sinkTo(K_SINK: string, changes: Partial<SinkSettings> = {}, config: SinkConfig = {}) {
  const settings = { source: "/dormouse/backup/hets", timeoutMs: 60_000, retryDelaysMs: [1, 1, 1] };
  return httpEventSink({ K_SINK, ...config }, { ...settings, ...changes });
}

/** It follows from run, type and subject. */
const ID = `${RUN}-completed-d41d72424931cacd`;

describe("the sink of events", () => {
  before(() => mock.timers.enable({ apis: ["Date"], now: NOW }));
  after(() => mock.timers.reset());

  it("posts one event in binary mode, with its data as JSON", async () => {
    await using received = await sink(202);

    await sinkTo(received.url).send(completed, RUN, never);

    const [{ headers, body } = { headers: {}, body: "" }, ...others] = received.received;
    assert.deepEqual(others, []);
    assert.equal(headers["ce-specversion"], "1.0");
    assert.equal(headers["ce-type"], completed.type);
    assert.equal(headers["ce-source"], "/dormouse/backup/hets");
    assert.equal(headers["ce-subject"], completed.subject);
    assert.equal(headers["ce-id"], ID);
    assert.equal(Date.parse(String(headers["ce-time"])), NOW.getTime());
    assert.match(String(headers["content-type"]), /^application\/json/);
    assert.deepEqual(JSON.parse(body), completed.data);
  });

  it("names any database so that a receiver reads the same name, under an id that is short", async () => {
    await using received = await sink(202);
    const problem = { code: "internal", message: "größe" } as const;
    const names = [...ODD_NAMES, "日本", "größe", "日".repeat(21)];

    for (const database of names) {
      const data = { run: RUN, database, problem };
      const source = `/dormouse/backup/${encodeURIComponent(database)}`;
      await sinkTo(received.url, { source }).send(
        { type: "dev.dormouse.backup.failed", subject: database, data },
        RUN,
        never,
      );
    }

    const read = received.received.map(({ headers, body }) => readEvent(headers, body));
    assert.deepEqual(
      read.map(({ subject, source, data }) => [subject, decodeURIComponent(source), data]),
      names.map((database) => [database, `/dormouse/backup/${database}`, { run: RUN, database, problem }]),
    );
    assert.equal(new Set(read.map(({ id }) => id)).size, new Set(names).size);
    for (const { id } of read) assert.ok(id.length < 100);
  });

  for (const status of [404, 408, 409, 429, 500, 502, 503, 0]) {
    it(`tries again after ${status === 0 ? "a cut connection" : status}, with the same id`, async () => {
      await using received = await sink(status, status, 202);

      await sinkTo(received.url).send(completed, RUN, never);

      assert.deepEqual(
        received.received.map(({ headers }) => headers["ce-id"]),
        Array.from({ length: 3 }, () => ID),
      );
    });
  }

  for (const status of [400, 401, 403, 413, 415, 422]) {
    it(`does not ask again after ${status}`, async () => {
      await using received = await sink(status);

      const sent = sinkTo(received.url).send(completed, RUN, never);

      await assert.rejects(sent, { code: "event_undelivered", message: new RegExp(`status ${status}$`) });
      assert.equal(received.received.length, 1);
    });
  }

  it("gives up after the last try, and names the host it did not reach without the path, which may be a secret", async () => {
    await using received = await sink(503);

    const sent = sinkTo(`${received.url}token/s3cret`).send(completed, RUN, never);

    await assert.rejects(sent, (error: Error) => {
      assert.match(error.message, /event dev\.dormouse\.backup\.completed did not reach 127\.0\.0\.1:\d+/);
      return !error.message.includes("s3cret");
    });
    assert.equal(received.received.length, 4);
  });

  it("gives up on a sink that is not there, and on one that does not answer", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;

    const mute = sinkTo(`http://127.0.0.1:${port}/`, { timeoutMs: 50, retryDelaysMs: [1] });
    await assert.rejects(mute.send(completed, RUN, never), { code: "event_undelivered" });
    silent.close().closeAllConnections();
    await once(silent, "close");
    const dead = sinkTo(`http://127.0.0.1:${port}/`);
    await assert.rejects(dead.send(completed, RUN, never), { message: /ECONNREFUSED/ });
  });

  it("stops between two tries when the run is aborted, with its reason", async () => {
    await using received = await sink(503);
    const stopping = new AbortController();
    const patient = sinkTo(received.url, { retryDelaysMs: [600_000] });

    const sent = patient.send(completed, RUN, stopping.signal);
    while (received.received.length === 0) await new Promise(setImmediate);
    stopping.abort(new Error("the pod was told to stop"));

    await assert.rejects(sent, /told to stop|aborted/);
    assert.equal(received.received.length, 1);
  });

  it("adds the extensions that a SinkBinding asks for, and lets them change nothing of the event", async () => {
    await using received = await sink(202);
    const ours = { id: "forged", type: "forged", specversion: "0.3", data_base64: "AAAA", schemaurl: "x" };
    const extensions = { Team: "größe", number: 5, fraction: 0.5, flag: false, ...ours };

    await sinkTo(received.url, {}, { K_CE_OVERRIDES: { extensions } }).send(completed, RUN, never);

    const { headers = {}, body = "" } = received.received[0] ?? {};
    const names = ["ce-team", "ce-number", "ce-fraction", "ce-flag", "ce-specversion"];
    assert.deepEqual(
      names.map((name) => headers[name]),
      ["gr%C3%B6%C3%9Fe", "5", "0.5", "false", "1.0"],
    );
    assert.equal(headers["ce-id"], ID);
    assert.equal(headers["ce-type"], completed.type);
    assert.deepEqual(JSON.parse(body), completed.data);
  });

  it("sends nothing where no sink is named", async () => {
    await eventSink({}, "/dormouse/backup/hets").send(completed, RUN, never);
  });
});
