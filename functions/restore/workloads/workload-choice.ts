import { WORKLOAD_KINDS, workloadText, type Workload, type WorkloadKind } from "./workload.ts";

/** Which workloads a restore of a database stops: the same for all databases, or those that are named for that one. */
type WorkloadChoice = {
  /** Those of every database. */
  readonly all: readonly Workload[];
  /** Absent where one list is for all. */
  readonly byDatabase?: ReadonlyMap<string, readonly Workload[]>;
};

export const NO_WORKLOADS: WorkloadChoice = { all: [] };

/** In the order of starting. */
export function workloadsOf({ all, byDatabase }: WorkloadChoice, database: string): readonly Workload[] {
  return byDatabase === undefined ? all : (byDatabase.get(database) ?? []);
}

/** Of two databases. */
export function haveInCommon(choice: WorkloadChoice, one: string, other: string): boolean {
  if (one === other) return false;
  const own = new Set(workloadsOf(choice, one).map(workloadText));
  return workloadsOf(choice, other).some((each) => own.has(workloadText(each)));
}

const WORKLOAD = new RegExp(`^(?:${WORKLOAD_KINDS.join("|")})/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`);

/**
 * `deployment/server,deployment/frontend` for all databases, or by database, `hets=deployment/server;reports=deployment/reports`,
 * or a JSON object where the name of one is odd. `undefined` for what is none of these.
 */
export function parseWorkloadChoice(text: string): WorkloadChoice | undefined {
  const lists = listsIn(text);
  if (lists === undefined) {
    const all = parseList(text);
    return all && { all };
  }
  const parsed = lists.map(([database, list]) => [database, parseList(list)] as const);
  const byDatabase = new Map(
    parsed.flatMap(([database, list]) => (list === undefined ? [] : [[database, list]])),
  );
  const isWhole = byDatabase.size === lists.length && byDatabase.size > 0 && !byDatabase.has("");
  if (!isWhole) return undefined;
  const byText = new Map([...byDatabase.values()].flat().map((each) => [workloadText(each), each]));
  return { all: [...byText.values()], byDatabase };
}

/** Of each database its list, as text; `undefined` where there is one list for all. */
function listsIn(text: string): readonly (readonly [string, string])[] | undefined {
  if (text.trimStart().startsWith("{")) return entriesIn(text);
  if (!text.includes("=")) return undefined;
  return text.split(";").map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1)];
  });
}

function entriesIn(text: string): readonly (readonly [string, string])[] {
  try {
    const entries = Object.entries(JSON.parse(text) as object);
    if (countNames(text) !== entries.length) return NO_ENTRIES;
    return entries.map(([database, list]) => [database, String(list)]);
  } catch {
    return NO_ENTRIES;
  }
}

const NO_ENTRIES = [["", ""]] as const;

/** Of two entries with one name a parser drops the first without a word, and the workloads of that would run on. */
function countNames(json: string): number {
  const strings = [...json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)];
  return strings.filter(([, colon]) => colon !== undefined).length;
}

function parseList(list: string): readonly Workload[] | undefined {
  const texts = list.split(",").map((text) => text.trim());
  const areWorkloads = texts.every((text) => WORKLOAD.test(text)) && new Set(texts).size === texts.length;
  return areWorkloads ? texts.map(parseWorkload) : undefined;
}

function parseWorkload(text: string): Workload {
  const [kind, name = ""] = text.split("/");
  return { kind: kind as WorkloadKind, name };
}
