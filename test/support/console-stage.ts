import { randomBytes } from "node:crypto";
import { cullEnvironment, DAY_MS, fillVolume } from "./culled.ts";
import { backupEnvironment, startFunction, type FunctionProcess } from "./function-process.ts";
import type { TestServer } from "./postgres.ts";
import { startRestoreCluster, type RestoreCluster } from "./restore-cluster.ts";
import { setRestoreStage, type RestoreStage } from "./restore-stage.ts";
import { temporaryFolder } from "./volume.ts";
import { embeddedStore, makeBucket, mirrorEnvironment } from "./s3.ts";

/** The three functions on one database, with two workloads and a bucket. */
export type ConsoleStage = AsyncDisposable & {
  readonly stage: RestoreStage;
  readonly cluster: RestoreCluster;
  /** As `--url` takes it. */
  readonly url: string;
  readonly functions: Readonly<Record<"backup" | "cull" | "restore", FunctionProcess>>;
};

export async function setConsoleStage(
  given: { readonly server?: TestServer; readonly database?: string } = {},
): Promise<ConsoleStage> {
  const parts = new AsyncDisposableStack();
  const stage = parts.use(await setRestoreStage(given));
  const cluster = parts.use(await startRestoreCluster());
  const bucket = parts.use(await makeBucket(parts.use(await embeddedStore())));
  const mirror = mirrorEnvironment(bucket);
  const scratch = { RESTORE_DIR: parts.use(await temporaryFolder()).path };
  const [backup, cull, restore] = await Promise.all([
    startFunction("backup", { ...backupEnvironment(stage.server, stage.database, stage.path), ...mirror }),
    startFunction("cull", cullEnvironment(stage.path)),
    stage.start({ ...cluster.environment, ...mirror, ...scratch }),
  ]);
  parts.use(backup);
  parts.use(cull);
  const url = `backup=${backup.url},cull=${cull.url},restore=${restore.url}`;
  return {
    stage,
    cluster,
    url,
    functions: { backup, cull, restore },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

type Night = { readonly ago: number; readonly share?: number };

/** Nights before the stage's own backup, with what it holds; `share` of the rows of a night that lost some. */
export function addNights({ stage }: ConsoleStage, nights: readonly Night[]): Promise<unknown> {
  const { archive, content, origin } = stage.backup;
  const startedAt = ({ ago }: Night) =>
    new Date(`${new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10)}T01:00:00Z`);
  return fillVolume(stage.path, nights.length, (index) => {
    const { ago, share = 1 - ago / 400 } = nights[index] ?? { ago: 1 };
    const scaled = (rows: number) => Math.round(rows * share);
    const tables = content.tables.map((table) => ({ ...table, rows: scaled(table.rows) }));
    return {
      database: stage.database,
      startedAt: startedAt({ ago }),
      // Their time orders them: the stage's own is the newest.
      sequence: 0,
      ...(origin === undefined ? {} : { origin }),
      bytes: randomBytes(scaled(archive.sizeBytes)),
      content: {
        ...content,
        tables,
        rows: scaled(content.rows),
        databaseBytes: scaled(content.databaseBytes),
      },
      elapsedMs: Math.round(1_400 * share + (ago % 3) * 90),
    };
  });
}
