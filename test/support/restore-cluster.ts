import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "../../shared/run/run.ts";
import type { RestoreJournal } from "../../functions/restore/journal/journal.ts";
import { startFakeKubernetes, type FakeKubernetes } from "./fake-kubernetes.ts";
import type { FakeWorkload } from "./fake-workload.ts";
import { until } from "./faulty.ts";

/** Two workloads that use the database, in a cluster with a restore function. */
export type RestoreCluster = {
  readonly kubernetes: FakeKubernetes;
  readonly server: FakeWorkload;
  readonly frontend: FakeWorkload;
  /** What a restore function needs to know of it. */
  readonly environment: Readonly<Record<string, string>>;
  replicas(): readonly number[];
  /** In the order in which they were asked for: `deployment/server 0`. */
  scalings(): readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
};

export const REPLICAS = [2, 1];

export async function startRestoreCluster(): Promise<RestoreCluster> {
  const kubernetes = await startFakeKubernetes();
  const [ofServer = 0, ofFrontend = 0] = REPLICAS;
  const server = kubernetes.addWorkload({ kind: "deployment", name: "server" }, ofServer);
  const frontend = kubernetes.addWorkload({ kind: "deployment", name: "frontend" }, ofFrontend);
  return {
    kubernetes,
    server,
    frontend,
    environment: {
      KUBECONFIG: kubernetes.kubeconfig,
      K_SERVICE: "restore",
      APP_WORKLOADS: "deployment/server,deployment/frontend",
    },
    replicas: () => [server.replicas, frontend.replicas],
    scalings: () =>
      kubernetes.requests
        .filter(({ verb }) => verb === "patch")
        .map(({ name, body }) => `${name} ${String((body as { readonly value: unknown }[])[1]?.value)}`),
    [Symbol.asyncDispose]: () => kubernetes[Symbol.asyncDispose](),
  };
}

export type RestoreRun = Omit<Run, "journal"> & { readonly journal?: RestoreJournal };

/** The records of restores on a volume, as they lie there, oldest first. */
export async function restoreRuns(path: string): Promise<RestoreRun[]> {
  const folder = join(path, ".dormouse", "runs");
  const names = (await readdir(folder)).filter((name) => /^restore-[0-9a-f]{24}\.json$/.test(name));
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8")) as RestoreRun;
  const runs = await Promise.all(names.map(read));
  return runs.toSorted((a, b) => (String(a.acceptedAt) < String(b.acceptedAt) ? -1 : 1));
}

/** The newest restore, when it has ended for good. */
export async function endedRestore(path: string): Promise<RestoreRun> {
  const hasEnded = (run: RestoreRun | undefined) => run?.state === "succeeded" || run?.state === "failed";
  await until(async () => hasEnded((await restoreRuns(path)).at(-1)));
  const run = (await restoreRuns(path)).at(-1);
  if (run === undefined) throw new Error("there is no restore");
  return run;
}
