// How much memory a function takes when it is asked for far more than it answers, against the limit of its pod.
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cullEnvironment, fillVolume } from "../test/support/culled.ts";
import {
  backupEnvironment,
  restoreEnvironment,
  startFunction,
  type FunctionProcess,
} from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";
import { imageEnvironment, measure, peakOf, type Measure } from "./measure.ts";

/** `resources.limits.memory` of the manifests. */
const POD_MB = 512;
const BACKUPS = 2_000;
const [PLANS, PINGS, POSTS, GUESSES] = [60, 520, 1_000, 200];
const TABLES = 40;

type Attack = {
  readonly name: string;
  readonly start: (environment: Environment) => Promise<FunctionProcess>;
  readonly ask: (asked: FunctionProcess) => Promise<void>;
};
type Environment = Readonly<Record<string, string>>;

export async function overloads(server: OwnServer, folder: string): Promise<Measure[]> {
  const path = join(folder, "overload");
  await mkdir(path);
  const tables = Array.from({ length: TABLES }, (_, n) => ({
    schema: "public",
    name: `table_${n}`,
    rows: n,
  }));
  const content = { databaseBytes: 1, tables, rows: 1, largeObjects: 0, extensions: [] };
  await fillVolume(path, BACKUPS, () => ({ content, database: "small" }));
  await using reviewer = await refusingCluster(folder);
  const measures: Measure[] = [];
  for (const attack of attacks(server, path, reviewer.kubeconfig)) {
    await using asked = await attack.start(await imageEnvironment());
    await attack.ask(asked);
    const ours = await peakOf(asked.pid);
    measures.push(
      measure({ name: attack.name, unit: "MB", ours, reference: POD_MB, referenceName: "pod", limit: 1 }),
    );
  }
  console.log(`${GUESSES} guessed tokens: ${reviewer.reviews()} reviews`);
  return measures;
}

function attacks(server: OwnServer, path: string, kubeconfig: string): readonly Attack[] {
  const restore = (changes: Environment) =>
    startFunction("restore", { ...restoreEnvironment(server, "small", path), ...changes });
  const backup = (changes: Environment) =>
    startFunction("backup", { ...backupEnvironment(server, "small", path), ...changes });
  const cull = (changes: Environment) => startFunction("cull", { ...cullEnvironment(path), ...changes });
  return [
    {
      name: `peak memory, ${PLANS} plans at once over ${BACKUPS} backups`,
      start: restore,
      ask: (asked) => all(PLANS, () => asked.post({ filename: "latest", dryRun: true })),
    },
    {
      name: `peak memory, ${PINGS} pings with long ids`,
      start: cull,
      ask: ({ url }) => all(PINGS, (n) => fetch(url, longPing(n))),
    },
    {
      name: `peak memory, ${POSTS} forced backups at once`,
      start: backup,
      ask: (asked) => all(POSTS, () => asked.post({}, { prefer: "respond-async" })),
    },
    {
      name: `peak memory, ${GUESSES} guessed tokens at once`,
      start: (changes) =>
        restore({ ...changes, AUTH: "kubernetes", K_SERVICE: "restore", KUBECONFIG: kubeconfig }),
      ask: (asked) =>
        all(GUESSES, (n) => asked.post({ filename: "latest" }, { authorization: `Bearer guess-${n}` })),
    },
  ];
}

/** In structured mode, whose body holds what no header would. */
function longPing(n: number): RequestInit {
  const [id, type] = [`${"x".repeat(60_000)}${n}`, "dev.knative.sources.ping"];
  const event = { specversion: "1.0", id, source: "/apis", type, time: new Date().toISOString() };
  return {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify(event),
  };
}

/** What is refused, or cut off before it is read, is an answer as well. */
async function all(count: number, ask: (n: number) => Promise<Response>): Promise<void> {
  const one = async (n: number) => void (await (await ask(n)).text());
  await Promise.allSettled(Array.from({ length: count }, (_, n) => one(n)));
}

/** An API server that knows none of the tokens. */
async function refusingCluster(folder: string) {
  let reviews = 0;
  const api = createServer((request, response) => {
    if (request.url?.endsWith("/tokenreviews") === true) reviews += 1;
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        kind: "TokenReview",
        apiVersion: "authentication.k8s.io/v1",
        status: { authenticated: false },
      }),
    );
  }).listen(0, "127.0.0.1");
  await once(api, "listening");
  const address = api.address();
  const port = typeof address === "object" ? address?.port : 0;
  const kubeconfig = join(folder, "kubeconfig");
  const cluster = {
    name: "c",
    cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true },
  };
  const context = { name: "c", context: { cluster: "c", user: "c", namespace: "hets" } };
  const user = { name: "c", user: { token: "c" } };
  await writeFile(
    kubeconfig,
    JSON.stringify({ clusters: [cluster], contexts: [context], users: [user], "current-context": "c" }),
  );
  return {
    kubeconfig,
    reviews: () => reviews,
    async [Symbol.asyncDispose]() {
      api.closeAllConnections();
      api.close();
    },
  };
}
