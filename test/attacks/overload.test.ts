import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { runFiles } from "../../shared/run/run-files.ts";
import { jsonLog } from "../../shared/log.ts";
import { listen } from "../../shared/function/listen.ts";
import { createRuns } from "../../shared/run/runs.ts";
import { createApp } from "../../shared/http/server.ts";
import { noAuth } from "../../shared/http/token-auth.ts";
import { pingRequest } from "../support/function-process.ts";
import { idleHandler } from "../support/idle-handler.ts";
import { temporaryVolume } from "../support/volume.ts";

const log = jsonLog(() => undefined);

describe("a function that is asked for more than its memory holds", () => {
  let service: Awaited<ReturnType<typeof serveBlocked>>;
  before(async () => void (service = await serveBlocked()));
  after(() => service[Symbol.asyncDispose]());

  const ended = async (answers: readonly Promise<Response>[]) => {
    const all = await Promise.all(answers);
    return {
      statuses: tally(all.map(({ status }) => status)),
      haveRetryAfter: all.every(({ status, headers }) => status !== 503 || headers.has("retry-after")),
    };
  };

  it("begins as many runs as it has room for, of events as leave room for a person, and forgets none", async () => {
    const ids = Array.from({ length: 40 }, () => randomUUID());
    const ping = (id: string) => service.post(pingRequest({ id, source: `/apis/${id}` }));
    const events = await ended(ids.map(ping));
    const recorded = new Set(service.events());
    const again = await ended(ids.filter((id) => recorded.has(id)).map(ping));

    const people = Array.from({ length: 40 }, () => service.post({ headers: { prefer: "respond-async" } }));
    const persons = await ended(people);

    assert.deepEqual(events, { statuses: { 202: 8, 503: 32 }, haveRetryAfter: true });
    assert.deepEqual(again, { statuses: { 202: 8 }, haveRetryAfter: true });
    assert.deepEqual(persons, { statuses: { 202: 8, 503: 32 }, haveRetryAfter: true });
    assert.equal(service.begun(), 16);

    service.release();
    const refused = ids.find((id) => !recorded.has(id)) ?? "";
    while ((await ping(refused)).status !== 202);
    assert.equal(service.begun(), 17);
  });

  it("takes as many requests at once as it answers in turn, and events beside them", async () => {
    const leave = new AbortController();
    const waiting = Array.from({ length: 64 }, () =>
      service.get({ signal: leave.signal }).catch(() => undefined),
    );
    while (service.shown() < 2) await service.get({}).then((answer) => answer.body?.cancel());
    let refused = await service.get({});
    while (refused.status !== 503) refused = await service.get({});

    const event = await service.post(pingRequest());

    assert.deepEqual([refused.headers.has("retry-after"), event.status], [true, 202]);
    assert.equal(((await refused.json()) as { code: string }).code, "overloaded");
    assert.equal(service.shown(), 2);
    leave.abort();
    await Promise.all(waiting);
  });
});

function tally(values: readonly number[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** A function whose work ends when it is let, and whose catalog is never read to its end. */
async function serveBlocked() {
  const volume = await temporaryVolume();
  const store = runFiles(volume.path, log);
  const runs = createRuns({ store, log });
  const events: string[] = [];
  const free = Promise.withResolvers<void>();
  let [begun, shown] = [0, 0];
  const server = await listen(0);
  const handler = {
    ...idleHandler,
    work: async ({ run }: { readonly run: { readonly trigger: { readonly id: string } } }) => {
      events.push(run.trigger.id);
      begun += 1;
      await free.promise;
    },
    show: () => {
      shown += 1;
      return new Promise(() => undefined);
    },
  };
  server.open(createApp({ handler, runs, log, authorize: noAuth }));
  const url = `http://127.0.0.1:${server.port}`;
  return {
    events: () => events,
    begun: () => begun,
    shown: () => shown,
    release: () => free.resolve(),
    post: (request: RequestInit) => fetch(url, { ...request, method: "POST" }),
    get: (request: RequestInit) => fetch(url, request),
    async [Symbol.asyncDispose]() {
      server.stop();
      await server.closed(100);
      await volume[Symbol.asyncDispose]();
    },
  };
}
