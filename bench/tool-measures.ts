// What the ways to dump and to load have to say of ours, and how the README shows them.
import { measure, type Measure } from "./measure.ts";

/** For how much text the limit of our own processor time is. */
const PLAIN_BYTES = 500e6;

/** Processor seconds beside the time that passed: of the server, of the client tools, of our own process. */
export type Spent = {
  readonly seconds: number;
  readonly server: number;
  readonly tools: number;
  readonly ours: number;
  readonly bytes?: number;
};
export type Way = Spent & { readonly name: string };
export type Compared = {
  readonly major: number;
  readonly dumps: readonly Way[];
  readonly loads: readonly Way[];
};

export function measuresOf({ major, dumps, loads }: Compared, plainBytes: number): Measure[] {
  return [...dumpMeasures(major, dumps, plainBytes), ...loadMeasures(major, loads)];
}

function dumpMeasures(major: number, ways: readonly Way[], plainBytes: number): Measure[] {
  const isNew = major >= 16;
  const ours = named(ways, "Dormouse");
  const [raw, old] = [named(ways, `pg_dump -Fc -Z ${isNew ? "zstd:1" : "1"}`), named(ways, "pg_dump |")];
  return [
    ratio(`dump, verified, PostgreSQL ${major}`, { ours, reference: raw, limit: isNew ? undefined : 1.35 }),
    ratio(`dump, verified, PostgreSQL ${major}`, { ours, reference: old, limit: isNew ? 0.28 : 0.5 }),
    measure({
      name: `our own part of a dump of 500 MB of text, PostgreSQL ${major}`,
      unit: "processor s",
      ours: (ours.ours * PLAIN_BYTES) / plainBytes,
      reference: 1.4,
      referenceName: "goal",
    }),
    measure({
      name: `size of the archive, PostgreSQL ${major}`,
      unit: "MB",
      ours: (ours.bytes ?? 0) / 1e6,
      reference: (old.bytes ?? 0) / 1e6,
      referenceName: old.name,
      limit: isNew ? 1 : 1.1,
    }),
  ];
}

function loadMeasures(major: number, ways: readonly Way[]): Measure[] {
  const [ours, old, raw] = [named(ways, "Dormouse"), named(ways, "gunzip |"), named(ways, "pg_restore")];
  const what = `load, verified, analyzed, counted, PostgreSQL ${major}`;
  const archive = ways.find(({ name }) => name.endsWith("of our archive")) ?? raw;
  return [
    ratio(what, { ours, reference: raw }),
    ratio(what, { ours, reference: old, limit: 1 }),
    ratio(`rehearsal, all values compared, PostgreSQL ${major}`, {
      ours: named(ways, "rehearsal"),
      reference: raw,
    }),
    ratio(`${archive.name}, PostgreSQL ${major}`, { ours: archive, reference: raw, limit: 1.05 }),
  ];
}

function named(ways: readonly Way[], start: string): Way {
  const way = ways.find(({ name }) => name.startsWith(start));
  if (way === undefined) throw new Error(`nothing was measured as ${start}`);
  return way;
}

type Ratio = { readonly ours: Way; readonly reference: Way; readonly limit?: number | undefined };

function ratio(name: string, { ours, reference, limit }: Ratio): Measure {
  const [referenceName, unit] = [reference.name, "s"];
  return measure({ name, unit, ours: ours.seconds, reference: reference.seconds, referenceName, limit });
}

/** For the README. */
export function toolsTable({ major, dumps, loads }: Compared): string {
  const seconds = (value: number) => (value < 0.05 ? "" : value.toFixed(1));
  const rows = [...dumps, ...loads].map(({ name, seconds: wall, bytes, server, tools, ours }) => [
    name.replaceAll("|", "\\|"),
    `${wall.toFixed(1)} s`,
    bytes === undefined ? "" : `${Math.round(bytes / 1e6)} MB`,
    ...[server, tools, ours].map(seconds),
  ]);
  const head = [`PostgreSQL ${major}`, "time", "size", "server", "tools", "our process"];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
