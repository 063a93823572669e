import { EXIT, Failure, type Exit } from "../failure.ts";
import { table } from "../output.ts";
import type { Session } from "../session.ts";
import { bytesText, countText } from "../text/units.ts";
import type { Backup } from "../wire.ts";
import { compareBackups, type Difference } from "./compare-backups.ts";
import { otherChanges, restText } from "../text/difference-words.ts";
import { catalogOf } from "./list.ts";

/** Two backups; or one and the one before it. */
export async function diff(session: Session, first: string, second: string | undefined): Promise<Exit> {
  const { output } = session;
  const { backups } = await catalogOf(session);
  const [older, newer] =
    second === undefined ? withBefore(backups, first) : [find(backups, first), find(backups, second)];
  const difference = compareBackups(older.manifest, newer.manifest);
  if (output.isJson) output.json(difference);
  else show(session, difference);
  return EXIT.good;
}

function find(backups: readonly Backup[], wanted: string): Backup {
  const found =
    wanted === "latest"
      ? backups[0]
      : backups.find(({ name }) => name === wanted || name.endsWith(`/${wanted}`));
  if (found !== undefined) return found;
  throw new Failure(`there is no backup ${JSON.stringify(wanted)}`, {
    code: "backup_not_found",
    hint: "`list` has the names",
  });
}

function withBefore(backups: readonly Backup[], wanted: string): readonly [Backup, Backup] {
  const newer = find(backups, wanted);
  const own = backups.filter(
    ({ database, elsewhere }) => database === newer.database && elsewhere === newer.elsewhere,
  );
  const older = own[own.indexOf(newer) + 1];
  if (older !== undefined) return [older, newer];
  throw new Failure(`there is no backup before ${newer.name}`, {
    code: "backup_not_found",
    hint: "name two to compare",
  });
}

function show({ output }: Session, difference: Difference): void {
  const { before, now, rows, archiveBytes, databaseBytes, tables } = difference;
  output.line(output.style("bold", `${before} → ${now}`));
  output.line(`  rows       ${rows.map(countText).join(" → ")}`);
  output.line(`  archive    ${archiveBytes.map(bytesText).join(" → ")}`);
  output.line(`  database   ${databaseBytes.map(bytesText).join(" → ")}`);
  const changes = tables.map(({ table: name, kind, before: old, now: current }) => [
    `  ${kind}`,
    name,
    countText(old),
    "→",
    countText(current),
  ]);
  for (const line of table(changes, new Set([2, 4]))) output.line(line);
  for (const what of otherChanges(difference)) output.line(`  changed    ${what}`);
  output.line(`  ${restText(difference)}`);
}
