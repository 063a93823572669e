import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Verb } from "../../shared/http/authorize.ts";
import type { Run } from "../../shared/run/run.ts";
import { runSeal, sealedText } from "../../shared/run/run-record.ts";
import { archiveName } from "../../shared/catalog/archive-name.ts";
import { cullEnvironment } from "../support/culled.ts";
import { type FakeKubernetes, startFakeKubernetes } from "../support/fake-kubernetes.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "../support/function-process.ts";
import { type Removed, temporaryVolume } from "../support/volume.ts";

const FUNCTIONS = ["backup", "cull", "restore"] as const;
type Name = (typeof FUNCTIONS)[number];
const VERBS: readonly Verb[] = ["get", "backup", "cull", "restore", "pin", "notify"];
/** Nothing here gets as far as a database. */
const NO_SERVER = {
  host: "127.0.0.1",
  port: 1,
  user: "nobody",
  password: "none",
  major: 15,
  binDir: "/usr/bin",
};
const BACKUP = archiveName("hets", new Date("2026-11-22T01:00:00Z"));

type Attempt = readonly [what: string, path: string, init: RequestInit];

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** Dressed as events, on every path and by every method: none is a `POST /` that bears an event. */
const DRESSES: readonly Record<string, string>[] = [
  {},
  { "ce-x": "1" },
  { "ce-specversion": "1.0" },
  { "content-type": "application/cloudevents+json" },
  { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "dev.knative.sources.ping" },
];
const READS: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/"],
  ["HEAD", "/"],
  ["GET", "/doctor"],
  ["GET", "/runs/restore-0123456789abcdef01234567"],
  ["GET", "/runs"],
  ["PUT", "/"],
  ["POST", "/doctor"],
  ["POST", "/runs/restore-0123456789abcdef01234567"],
];

describe("a function that is reached without a right", () => {
  let volume: Removed;
  let fake: FakeKubernetes;
  const functions = new Map<Name, FunctionProcess>();

  before(async () => {
    volume = await temporaryVolume();
    fake = await startFakeKubernetes();
    for (const verb of VERBS) fake.addUser({ token: `only-${verb}`, name: verb, audiences: ["dormouse"] });
    for (const verb of VERBS) fake.grant(verb, `${verb} services`);
    for (const run of FUNCTIONS.map(openRecord)) {
      const seal = runSeal(run.kind, () => true, NO_SERVER.password);
      await writeFile(join(volume.path, ".dormouse/runs", `${run.id}.json`), await sealedText(run, seal));
    }
    for (const name of FUNCTIONS) {
      const environment = {
        ...backupEnvironment(NO_SERVER, "hets", volume.path),
        ...cullEnvironment(volume.path),
        AUTH: "kubernetes",
        KUBECONFIG: fake.kubeconfig,
        K_SERVICE: `dormouse-${name}`,
      };
      functions.set(name, await startFunction(name, environment));
    }
  });
  after(async () => {
    for (const started of functions.values()) await started[Symbol.asyncDispose]();
    await fake[Symbol.asyncDispose]();
    await volume[Symbol.asyncDispose]();
  });

  const ask = (name: Name, path: string, init: RequestInit, token?: string) =>
    fetch(`${functions.get(name)?.url}${path}`, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string>),
        connection: "close",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });

  for (const name of FUNCTIONS) {
    it(`asks who reads of ${name}, and takes no dress for an event`, async () => {
      const attempts = READS.flatMap(([method, path]) =>
        DRESSES.map((headers): Attempt => [
          `${method} ${path} ${JSON.stringify(headers)}`,
          path,
          { method, headers },
        ]),
      );
      for (const [what, path, init] of attempts)
        assert.equal((await ask(name, path, init)).status, 401, what);
    });

    it(`asks who wants something of ${name}, and takes half an event for a request`, async () => {
      const bodies = [{}, { pin: BACKUP }, { filename: "latest" }];
      const halves = [
        {},
        { "ce-x": "1" },
        { "ce-id": "1", "ce-source": "/x", "ce-type": "dev.knative.sources.ping" },
      ];
      for (const body of bodies) {
        for (const half of halves) {
          const init = json(body);
          const headers = { ...(init.headers as Record<string, string>), ...half };
          const what = `${JSON.stringify(body)} ${JSON.stringify(half)}`;
          assert.equal((await ask(name, "/", { ...init, headers })).status, 401, what);
        }
      }
    });

    it(`shows runs of ${name} by ${name} alone`, async () => {
      for (const of of FUNCTIONS) {
        const answer = await ask(name, `/runs/${openRecord(of).id}`, {}, "only-get");
        assert.equal(answer.status, of === name ? 200 : 404, of);
      }
      assert.equal((await ask(name, "/runs/backup-999999999999999999999999", {}, "only-get")).status, 404);
    });

    it(`leaves the health of ${name} open`, async () => {
      for (const path of ["/health/liveness", "/health/readiness"])
        assert.equal((await ask(name, path, {})).status, 200);
    });
  }

  for (const name of FUNCTIONS)
    it(`sends test messages of ${name} with the right to that alone`, async () => {
      for (const verb of VERBS) {
        const { status } = await ask(name, "/doctor?send=true", { method: "POST" }, `only-${verb}`);
        assert.equal(status, verb === "notify" ? 200 : 403, verb);
      }
    });

  const WANTS: readonly (readonly [Name, unknown, readonly Verb[]])[] = [
    ["backup", {}, ["backup"]],
    ["backup", { label: "by hand" }, ["backup"]],
    ["backup", { pin: true }, ["backup", "pin"]],
    ["cull", {}, ["cull"]],
    ["cull", { dryRun: true }, ["cull"]],
    ["cull", { pin: BACKUP }, ["pin"]],
    ["cull", { unpin: BACKUP }, ["pin"]],
    ["cull", { acknowledge: BACKUP }, ["pin"]],
    ["restore", { filename: "latest" }, ["restore"]],
    ["restore", { filename: "latest", dryRun: true }, ["restore"]],
    ["restore", { filename: "latest", into: "scratch" }, ["restore"]],
    ["restore", { undo: "restore-0123456789abcdef01234567" }, ["restore"]],
  ];
  for (const [name, body, verbs] of WANTS) {
    it(`needs ${verbs.join(" and ")} for ${JSON.stringify(body)} to ${name}`, async () => {
      for (const verb of VERBS) {
        const { status } = await ask(name, "/", json(body), `only-${verb}`);
        const isEnough = verbs.length === 1 && verbs[0] === verb;
        assert.equal(status === 403, !isEnough, `${verb}: ${status}`);
      }
      const all = verbs.join("-and-");
      fake.addUser({ token: `only-${all}`, name: all, audiences: ["dormouse"] });
      for (const verb of verbs) fake.grant(all, `${verb} services`);
      const { status } = await ask(name, "/", json(body), `only-${all}`);
      assert.ok(status !== 401 && status !== 403, `${status}`);
    });
  }
});

/** One that ended long ago, of a function. */
function openRecord(kind: Name, index = FUNCTIONS.indexOf(kind)): Run {
  const at = new Date("2026-11-01T01:00:00Z");
  return {
    id: `${kind}-${`${index}`.repeat(24)}`,
    kind,
    state: "succeeded",
    database: kind === "cull" ? "*" : "hets",
    trigger: { source: "http", id: kind },
    request: {},
    attempt: 1,
    acceptedAt: at,
    updatedAt: at,
    finishedAt: at,
    steps: [],
    result: {},
  };
}
