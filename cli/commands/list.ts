import { EXIT, type Exit } from "../failure.ts";
import { table } from "../output.ts";
import type { Session } from "../session.ts";
import { agoText, bytesText, countText } from "../text/units.ts";
import type { Backup, Catalog } from "../wire.ts";

/** The restore function knows both places, and which backup is suspect. */
export async function catalogOf(session: Session): Promise<Catalog> {
  const known = await session.access.known();
  const remote = await session.remote(known.includes("restore") ? "restore" : "backup");
  return remote.get<Catalog>("/");
}

export async function list(session: Session): Promise<Exit> {
  const { output } = session;
  const catalog = await catalogOf(session);
  if (output.isJson) return (output.json(catalog), EXIT.good);
  const { backups, legacy, foreign, bucketProblem } = catalog;
  if (backups.length === 0) output.line("There is no backup.");
  else {
    const head = ["BACKUP", "TAKEN", "SIZE", "ROWS", "PROOF", "PLACES", "MARKS"];
    const rows = backups.map((backup) => rowOf(backup, Date.now()));
    for (const line of table([head, ...rows], new Set([2, 3]))) output.line(line);
  }
  if (legacy.length > 0) {
    const head = ["FILE OF THE OLD POD", "TAKEN", "SIZE", "FORMAT", "DATABASE", "MARKS"];
    for (const line of table([head, ...legacy.map((file) => legacyRow(file, Date.now()))], new Set([2])))
      output.line(line);
  }
  if (foreign.length > 0) output.line(`and ${countText(foreign.length)} entries that are no backups`);
  if (bucketProblem !== undefined)
    output.complain(`the bucket is not part of this list: ${bucketProblem.message}`);
  return EXIT.good;
}

function rowOf(backup: Backup, now: number): string[] {
  const { name, startedAt, sizeBytes, manifest, places = ["volume"] } = backup;
  return [
    name,
    agoText(startedAt, now),
    bytesText(sizeBytes),
    countText(manifest.content.rows),
    manifest.verification.level,
    places.join("+"),
    marksOf(backup).join(", "),
  ];
}

function legacyRow(file: Catalog["legacy"][number], now: number): string[] {
  const { name, minuteAt, sizeBytes, format, database, decision, damage } = file;
  const isOpen = decision?.isDecided === false;
  return [
    name,
    agoText(minuteAt, now),
    bytesText(sizeBytes),
    format,
    isOpen ? "not decided" : database,
    damage === undefined ? "" : `DAMAGED: ${damage}`,
  ];
}

function marksOf({ manifest, suspicion, elsewhere }: Backup): string[] {
  const { pin, acknowledged, label } = manifest;
  return [
    ...(suspicion === undefined ? [] : ["SUSPECT"]),
    ...(elsewhere === undefined ? [] : ["from elsewhere"]),
    ...(pin === undefined ? [] : ["pinned"]),
    ...(acknowledged === undefined ? [] : ["acknowledged"]),
    ...(label === undefined ? [] : [label]),
  ];
}
