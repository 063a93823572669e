import { undoCommand } from "../../undo-command.ts";

/** What an event says. A field that is missing, or is no text, reads as nothing. */
export type Data = Readonly<Record<string, unknown>>;

/** Shows a command of `kubectl dormouse` for this namespace. */
export type Command = (text: string) => string;

type Problem = { readonly code?: string; readonly message?: string; readonly hint?: string };

export function toProblem(data: Data): Problem {
  return (data["problem"] ?? {}) as Problem;
}

export function problemLines(data: Data, command: Command): string[] {
  const { code = "", message = "", hint } = toProblem(data);
  const run = data["run"] === undefined ? [] : [command(`run ${textIn(data, "run")}`)];
  return [`${message} (${code})`, ...(hint === undefined ? [] : [`What to do: ${hint}`]), ...run];
}

export function describeDetail(found: unknown): string {
  return textIn((found ?? {}) as Data, "detail");
}

export function textIn(data: Data, field: string): string {
  const value = data[field];
  return typeof value === "string" ? value : "";
}

export function outcome(data: Data, command: Command): string[] {
  const { compared, downtimeMs, run, undo } = data as {
    compared?: { tables?: number; rows?: number; by?: string };
    downtimeMs?: number;
    run?: string;
    undo?: { body?: Parameters<typeof undoCommand>[0] };
  };
  return [
    ...(compared === undefined
      ? []
      : [
          `${compared.by === "values" ? "values compared" : "rows counted"}: ${compared.tables} tables, ${compared.rows} rows`,
        ]),
    ...(downtimeMs === undefined ? [] : [`downtime: ${(downtimeMs / 1000).toFixed(1)} s`]),
    ...(undo === undefined ? [] : ["It can be undone."]),
    command(undo === undefined ? `run ${String(run)}` : undoCommand(undo.body ?? {})),
  ];
}

/** What failed of single databases: a line for people, and the fault without its sentence, which may have numbers that change. */
type Failure = { readonly line: string; readonly fault: string };

export function failuresIn(failed: unknown): readonly Failure[] {
  if (!Array.isArray(failed)) return [];
  return (failed as Data[]).map((each) => {
    const { code = "", message = "" } = toProblem(each);
    const database = textIn(each, "database");
    return { line: `${database}: ${message} (${code})`, fault: `${database} (${code})` };
  });
}

export function namesIn(removed: unknown): readonly unknown[] {
  return Array.isArray(removed) ? removed.map((each) => (each as Data)["name"]) : [];
}

/** Some of a list, for a line. */
export function listOf(value: unknown): string {
  const all = Array.isArray(value) ? value.map((each) => (typeof each === "string" ? each : "")) : [];
  return all.length > 3 ? `${all.slice(0, 3).join(", ")} and ${all.length - 3} more` : all.join(", ");
}
