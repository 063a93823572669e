import type { OutcomeEvent } from "../event-sink.ts";

/** What people read of an event. */
export type Message = {
  readonly title: string;
  readonly lines: readonly string[];
  readonly isTrouble: boolean;
  /** Told once a day and not again while nothing changes; unset: told each time. */
  readonly once?: string | undefined;
};

type Data = Readonly<Record<string, unknown>>;
type Problem = { readonly code?: string; readonly message?: string; readonly hint?: string };
type Rule = (subject: string, data: Data) => Message | undefined;

const trouble = (title: string, lines: readonly string[], once?: string): Message => ({
  title,
  lines,
  isTrouble: true,
  once,
});
const news = (title: string, lines: readonly string[]): Message => ({ title, lines, isTrouble: false });

/**
 * What is sent as a message, by event type. A completed backup and a completed cull are no message: a heartbeat says that nothing is
 * wrong. docs/telling.md has the same table.
 */
const RULES: Readonly<Record<string, Rule>> = {
  "dev.dormouse.backup.failed": (subject, data) =>
    trouble(`backup of ${subject} failed`, problemLines(data), `${subject} ${toProblem(data).code}`),
  "dev.dormouse.mirror.failed": (_, data) =>
    trouble(
      `backups of ${textIn(data, "database")} are missing in the bucket`,
      [`missing there: ${listOf(data["lacking"])}`, ...problemLines(data)],
      `${textIn(data, "database")} ${toProblem(data).code}`,
    ),
  "dev.dormouse.cull.failed": (subject, data) =>
    trouble(`cull of the ${subject} failed`, problemLines(data), `${subject} ${toProblem(data).code}`),
  "dev.dormouse.backup.suspect": (subject, data) =>
    trouble(
      `backup ${subject} is suspect`,
      [
        describeDetail(data["suspicion"]),
        "Nothing is removed until an operator has looked. If the loss was intended, acknowledge the backup.",
      ],
      subject,
    ),
  "dev.dormouse.backup.stale": (_, data) =>
    trouble(
      `no recent backup of ${textIn(data, "database")} on the ${textIn(data, "place")}`,
      [describeDetail(data["staleness"]), "Look at the runs of the backup function, then force a backup."],
      `${textIn(data, "database")} ${textIn(data, "place")}`,
    ),
  "dev.dormouse.restore.planned": (subject, data) =>
    Array.isArray(data["blockers"]) && data["blockers"].length === 0
      ? news(`restore of ${subject} is planned`, [`strategy: ${textIn(data, "strategy")}`])
      : undefined,
  "dev.dormouse.restore.completed": (subject, data) =>
    news(`restore from ${subject} is complete`, outcome(data)),
  "dev.dormouse.restore.undone": (subject, data) => news(`restore ${subject} was undone`, outcome(data)),
  "dev.dormouse.restore.rolledback": (subject, data) =>
    trouble(`restore of ${subject} failed, the database is as it was`, problemLines(data)),
};

/** The message of an event, or `undefined` where people are not told. Nothing in it comes from rows or from SQL. */
export function describeEvent({ type, subject, data }: OutcomeEvent): Message | undefined {
  return RULES[type]?.(subject, data as Data);
}

function toProblem(data: Data): Problem {
  return (data["problem"] ?? {}) as Problem;
}

function problemLines(data: Data): string[] {
  const { code = "", message = "", hint } = toProblem(data);
  const run = data["run"] === undefined ? [] : [`run: ${textIn(data, "run")}`];
  return [`${message} (${code})`, ...(hint === undefined ? [] : [`What to do: ${hint}`]), ...run];
}

function describeDetail(found: unknown): string {
  return textIn((found ?? {}) as Data, "detail");
}

function textIn(data: Data, field: string): string {
  const value = data[field];
  return typeof value === "string" ? value : "";
}

function outcome(data: Data): string[] {
  const { compared, downtimeMs, run, undo } = data as {
    compared?: { tables?: number; rows?: number };
    downtimeMs?: number;
    run?: string;
    undo?: unknown;
  };
  return [
    ...(compared === undefined ? [] : [`compared: ${compared.tables} tables, ${compared.rows} rows`]),
    ...(downtimeMs === undefined ? [] : [`downtime: ${(downtimeMs / 1000).toFixed(1)} s`]),
    ...(undo === undefined ? [] : ["It can be undone."]),
    `run: ${String(run)}`,
  ];
}

/** Some of a list, for a line. */
function listOf(value: unknown): string {
  const all = Array.isArray(value) ? value.map((each) => (typeof each === "string" ? each : "")) : [];
  return all.length > 3 ? `${all.slice(0, 3).join(", ")} and ${all.length - 3} more` : all.join(", ");
}
