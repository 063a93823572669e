// The part of the demo that keeps what is needed: several dozen backups by a function whose clock runs ahead, culled and
// explained.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CullPlacesReport } from "../functions/cull/cull-places.ts";
import { cull, cullEnvironment, DAY_MS } from "../test/support/culled.ts";
import { preload } from "../test/support/faulty.ts";
import { backupEnvironment, manifestOf, startFunction } from "../test/support/function-process.ts";
import type { OwnServer } from "../test/support/postgres.ts";

type Given = {
  readonly server: OwnServer;
  /** Where volume and clock may lie; removed by the caller. */
  readonly folder: string;
  readonly say: (line: string) => void;
};

const DATABASE = "orders";
const NIGHTS = 36;
const LAST_NIGHT = Date.parse("2026-11-22T01:00:00Z");
const COUNTS = { NUM_BACKUPS: "7", KEEP_WEEKLY: "4", KEEP_MONTHLY: "3" };
const ROWS = 500;

export async function demoCull({ server, folder, say }: Given): Promise<void> {
  const [volume, clock] = [join(folder, "volume"), join(folder, "clock")];
  await mkdir(volume);
  const setClock = (at: number) => writeFile(clock, `${at - Date.now()}`);
  const testClock = { ...preload("clock-preload.ts"), DORMOUSE_TEST_CLOCK_FILE: clock };
  await setClock(LAST_NIGHT);
  await server.createDatabase(DATABASE);
  await server.query(DATABASE, `CREATE TABLE item AS SELECT generate_series(1, ${ROWS}) AS id`);

  const environment = { ...backupEnvironment(server, DATABASE, volume), ...testClock };
  await using backup = await startFunction("backup", environment);
  const takeBackup = async (at: number, body: unknown = {}) => {
    await setClock(at);
    return manifestOf(await backup.post(body));
  };
  for (let night = NIGHTS - 1; night >= 0; night--) {
    const at = LAST_NIGHT - night * DAY_MS;
    await takeBackup(at, night === NIGHTS - 5 ? { pin: "before the migration" } : {});
  }
  say(`${NIGHTS} backups of "${DATABASE}" were made under a test clock, a night apart, one of them pinned`);

  await using culler = await startFunction("cull", cullEnvironment(volume, { ...COUNTS, ...testClock }));
  const plan = await cull(culler, { dryRun: true });
  say(
    `a dry run with ${Object.entries(COUNTS)
      .map((entry) => entry.join("="))
      .join(" ")} explains:`,
  );
  console.log(explained(plan));
  const done = await cull(culler);
  say(`the cull removed those ${done.removed.length}, freed ${done.bytesFreed} bytes and kept ${done.kept}`);

  await server.query(DATABASE, `DELETE FROM item WHERE id > 3`);
  const suspect = await takeBackup(LAST_NIGHT + DAY_MS);
  const refused = await cull(culler);
  say(
    `then most rows were deleted by mistake. The next cull removed ${refused.removed.length}, and says why:`,
  );
  say(`  ${refused.refused[0]?.detail}`);
  await culler.post({ acknowledge: suspect.name, reason: "the orders of last year moved out" });
  say(`it was acknowledged, and the next cull removed ${(await cull(culler)).removed.length}`);
}

function explained({ databases }: CullPlacesReport): string {
  const [plan] = databases;
  const kept = plan?.keep.map(
    ({ name, reasons }) => `  keep    ${name}  ${reasons.map(({ rule }) => rule).join(", ")}`,
  );
  const [first] = plan?.remove ?? [];
  const others = (plan?.remove.length ?? 0) - 1;
  return `\n${(kept ?? []).join("\n")}\n  remove  ${first?.name}  ${first?.reason}\n          and ${others} more, oldest first\n`;
}
