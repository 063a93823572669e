import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { createApp } from "../../shared/http/server.ts";
import { reviewAuth } from "../../shared/http/review-auth.ts";
import { listen } from "../../shared/function/listen.ts";
import { clusterCaller } from "../../shared/kubernetes/client.ts";
import { jsonLog } from "../../shared/log.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { createRuns } from "../../shared/run/runs.ts";
import { startFakeKubernetes } from "../support/fake-kubernetes.ts";
import { pingRequest } from "../support/function-process.ts";
import { idleHandler } from "../support/idle-handler.ts";
import { temporaryVolume } from "../support/volume.ts";

const [BURST, PER_SECOND, GUESSES] = [20, 10, 200];

describe("a function whose callers guess tokens", () => {
  let service: Awaited<ReturnType<typeof serve>>;
  beforeEach(async () => void (service = await serve()));
  afterEach(() => service[Symbol.asyncDispose]());

  async function guess(count: number): Promise<Readonly<Record<number, number>>> {
    const statuses: Record<number, number> = {};
    for (let each = 0; each < count; each++) {
      const { status } = await service.get(service.newToken());
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  }

  it("asks the cluster about a burst of them, then about some a second, and answers 429 to the others", async () => {
    assert.deepEqual(await guess(GUESSES), { 401: BURST, 429: GUESSES - BURST });
    assert.equal(service.reviews(), BURST);

    service.passMs(1_000);
    assert.deepEqual(await guess(GUESSES), { 401: PER_SECOND, 429: GUESSES - PER_SECOND });
    service.passMs(3_600_000);
    assert.deepEqual(await guess(GUESSES), { 401: BURST, 429: GUESSES - BURST });
    assert.equal(service.reviews(), 2 * BURST + PER_SECOND);
  });

  it("says when to come again, also to the source of an event, which must not take it for lost", async () => {
    await guess(BURST);

    const [refused, event] = [await service.get(service.newToken()), await service.ping(service.newToken())];

    assert.deepEqual([refused.status, event.status], [429, 503]);
    assert.ok(refused.headers.has("retry-after") && event.headers.has("retry-after"));
    assert.equal(((await refused.json()) as { code: string }).code, "rate_limited");
  });

  it("lets a caller in whose token was good, long after it was last asked about", async () => {
    assert.equal((await service.get("good")).status, 200);
    service.passMs(3_600_000);
    await guess(GUESSES);

    assert.equal((await service.get("good")).status, 200);
    assert.equal(service.reviews(), 1 + BURST + 1);
  });

  it("asks nothing about a caller it remembers, when it has refused more tokens than it remembers", async () => {
    assert.equal((await service.get("good")).status, 200);
    await guess(BURST - 1);
    for (let second = 1; second < 10; second++) {
      service.passMs(1_000);
      await guess(PER_SECOND);
    }
    const asked = service.reviews();

    assert.equal((await service.get("good")).status, 200);
    assert.deepEqual([asked, service.reviews()], [BURST + 9 * PER_SECOND, asked]);
  });

  it("asks about a caller without the right as about one who has it: its token is none that is guessed", async () => {
    assert.equal((await service.get("reader")).status, 403);
    service.passMs(3_600_000);
    await guess(GUESSES);

    assert.equal((await service.get("reader")).status, 403);
  });

  it("forgets a token that is not good any more", async () => {
    assert.equal((await service.get("good")).status, 200);
    service.revoke();
    service.passMs(60_000);
    assert.equal((await service.get("good")).status, 401);
    service.passMs(60_000);
    await guess(GUESSES);

    assert.equal((await service.get("good")).status, 429);
  });
});

/** A small function whose clock stands until it is told to go. */
async function serve() {
  const [volume, fake] = await Promise.all([temporaryVolume(), startFakeKubernetes()]);
  fake.addUser({ token: "good", name: "jo", audiences: ["dormouse"] });
  fake.addUser({ token: "reader", name: "al", audiences: ["dormouse"] });
  fake.grant("jo", "get services");
  let atMs = 0;
  const clock = mock.method(performance, "now", () => atMs);
  let guesses = 0;
  const settings = { audience: "dormouse", service: "backup" };
  const call = clusterCaller({ kubeconfig: fake.kubeconfig });
  const log = jsonLog(() => undefined);
  const runs = createRuns({ store: runFiles(volume.path, log), log });
  const server = await listen(0);
  const authorize = reviewAuth(call, settings);
  server.open(createApp({ handler: idleHandler, runs, log, authorize, authorizeEvent: authorize }));
  const url = `http://127.0.0.1:${server.port}`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  return {
    newToken: () => `guess-${guesses++}`,
    passMs: (ms: number) => void (atMs += ms),
    reviews: () => fake.requests.filter(({ resource }) => resource === "tokenreviews").length,
    revoke: () => fake.addUser({ token: "good", name: "jo", audiences: ["dormouse"], isExpired: true }),
    get: (token: string) => fetch(url, { headers: bearer(token) }),
    ping(token: string) {
      const { headers, ...request } = pingRequest();
      return fetch(url, {
        ...request,
        headers: { ...(headers as Record<string, string>), ...bearer(token) },
      });
    },
    async [Symbol.asyncDispose]() {
      clock.mock.restore();
      server.stop();
      await server.closed(1_000);
      for (const each of [fake, volume]) await each[Symbol.asyncDispose]();
    },
  };
}
