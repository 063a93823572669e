// The part of the demo that people come for: data are destroyed, restored by a file's name, proved to be back; then the
// restore is taken back. A client asks the database all the while, and measures how long it got no answer.
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import type { RestorePlan } from "../functions/restore/plan/restore-plan.ts";
import type { RestoreResult } from "../functions/restore/journal/restore-result.ts";
import type { Run } from "../shared/run/run.ts";
import { restoreEnvironment, startFunction, type FunctionProcess } from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";
import { fingerprint } from "../test/support/sample-database.ts";

type Stage = {
  readonly server: OwnServer;
  readonly database: string;
  readonly backupDir: string;
  readonly filename: string;
  readonly say: (line: string) => void;
  readonly saySteps: (run: Run) => void;
};

export async function demoRestore(stage: Stage): Promise<void> {
  const { server, database, backupDir, filename, say } = stage;
  const original = await readContent(server, database);
  await server.query(database, `DELETE FROM hire.equipment; DROP SCHEMA "Odd Names" CASCADE`);
  const destroyed = await readContent(server, database);
  say("an operator deletes all equipment and drops a schema by mistake: the data are gone");

  await using restore = await startFunction("restore", restoreEnvironment(server, database, backupDir));
  const plan = (await (await restore.post({ filename, dryRun: true })).json()) as RestorePlan;
  say(`what would happen (dryRun): ${plan.steps.join("; ")}`);

  await using client = askingClient(server, database);
  const result = await readResult(restore, { filename });
  say(`${filename} was restored by one POST:`);
  stage.saySteps((await (await restore.get(`/runs/${result.run}`)).json()) as Run);
  await proof(stage, original, "the data are back, every table's rows with the same hash as before");
  say(`a client that asked all the while got no answer for ${client.longestMs()} ms at the most`);

  await readResult(restore, result.undo?.body);
  await proof(
    stage,
    destroyed,
    `and taken back by ${JSON.stringify(result.undo?.body)}: as it was before the restore`,
  );
}

async function readResult(restore: FunctionProcess, body: unknown): Promise<RestoreResult> {
  const response = await restore.post(body);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`answer ${response.status}: ${text}`);
  return JSON.parse(text) as RestoreResult;
}

type Content = Readonly<Record<string, string>>;

async function proof({ server, database, say }: Stage, expected: Content, what: string): Promise<void> {
  if (!isDeepStrictEqual(await readContent(server, database), expected))
    throw new Error("the content differs");
  say(what);
}

async function readContent(server: OwnServer, database: string): Promise<Content> {
  const client = await server.connect(database);
  try {
    return await fingerprint(client);
  } finally {
    await client.end();
  }
}

const ASK_EVERY_MS = 10;

/** Connects and asks, again and again, as an application does that has lost its sessions. */
function askingClient({ host, port, user, password }: OwnServer, database: string) {
  let isEnding = false;
  let longestMs = 0;
  const asking = (async () => {
    for (let answeredAt = performance.now(); !isEnding; await pause(ASK_EVERY_MS)) {
      const client = new pg.Client({ host, port, user, password, database });
      client.on("error", () => undefined);
      const answered = await client
        .connect()
        .then(() => client.query("SELECT count(*) FROM hire.owner"))
        .then(() => true)
        .catch(() => false);
      await client.end().catch(() => undefined);
      if (!answered) continue;
      longestMs = Math.max(longestMs, Math.round(performance.now() - answeredAt));
      answeredAt = performance.now();
    }
  })();
  return {
    longestMs: () => longestMs,
    async [Symbol.asyncDispose]() {
      isEnding = true;
      await asking;
    },
  };
}
