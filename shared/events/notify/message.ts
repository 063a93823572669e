import { shellQuote } from "../../shell-quote.ts";
import { undoCommand } from "../../undo-command.ts";
import type { OutcomeEvent } from "../event-sink.ts";
import type { Trouble } from "./told.ts";

/** What people read of an event. */
export type Message = {
  readonly title: string;
  readonly lines: readonly string[];
  readonly isTrouble: boolean;
  /** Told once a day and not again while nothing changes; unset: told each time. */
  readonly trouble?: Trouble | undefined;
  /** Whose newest backup says what is at stake. */
  readonly database?: string | undefined;
};

type Data = Readonly<Record<string, unknown>>;
type Problem = { readonly code?: string; readonly message?: string; readonly hint?: string };
/** `command` shows a command of `kubectl dormouse` for this namespace. */
type Write = (subject: string, data: Data, command: (text: string) => string) => Message | undefined;

/** `daily`: the same fault again only after a day. `asked`: if NOTIFY_ON names it. */
type Rule = { readonly when: "always" | "daily" | "asked"; readonly write: Write };

const trouble = (title: string, lines: readonly string[], more: Partial<Message> = {}): Message => ({
  title,
  lines,
  isTrouble: true,
  ...more,
});
const news = (title: string, lines: readonly string[]): Message => ({ title, lines, isTrouble: false });

/** What all chats take at once; the record has them all. */
const MOST_FAILURES = 5;

/** What is sent as a message, by event type; docs/telling.md has the same table. */
export const RULES = {
  "dev.dormouse.backup.failed": {
    when: "daily",
    write: (subject, data, command) =>
      // What failed of several has one message, of them all.
      data["sweep"] === undefined
        ? trouble(`backup of ${subject} failed`, problemLines(data, command), {
            ...failing("dev.dormouse.backup.failed", subject, data),
            database: textIn(data, "database"),
          })
        : undefined,
  },
  "dev.dormouse.backup.swept": {
    when: "daily",
    write: (subject, data, command) => {
      const [added, gone] = [listOf(data["new"]), listOf(data["vanished"])];
      const failed = failuresIn(data["failed"]);
      if (added === "" && gone === "" && failed.length === 0) return undefined;
      const lines = [
        ...failed.slice(0, MOST_FAILURES),
        ...(failed.length > MOST_FAILURES ? [`and ${failed.length - MOST_FAILURES} more`] : []),
        ...(added === "" ? [] : [`new, and backed up for the first time: ${added}`]),
        ...(gone === "" ? [] : [`gone, their backups stay: ${gone}`, command("list")]),
      ];
      if (failed.length > 0)
        return trouble(
          `backups of ${failed.length} databases of ${subject} failed`,
          [...lines, command("runs backup")],
          {
            trouble: { condition: "dev.dormouse.backup.failed *", fault: failed.map(faultOf).join(", ") },
          },
        );
      const title = `the databases of ${subject} have changed`;
      if (gone === "") return news(title, lines);
      return trouble(title, lines, {
        trouble: { condition: `dev.dormouse.backup.swept ${subject}`, fault: gone },
      });
    },
  },
  "dev.dormouse.mirror.failed": {
    when: "daily",
    write: (_, data, command) =>
      trouble(
        `backups of ${textIn(data, "database")} are missing in the bucket`,
        [`missing there: ${listOf(data["lacking"])}`, ...problemLines(data, command)],
        failing("dev.dormouse.mirror.failed", textIn(data, "database"), data),
      ),
  },
  "dev.dormouse.cull.failed": {
    when: "daily",
    write: (subject, data, command) =>
      trouble(
        `cull of the ${subject} failed`,
        problemLines(data, command),
        failing("dev.dormouse.cull.failed", subject, data),
      ),
  },
  "dev.dormouse.backup.suspect": {
    when: "daily",
    write: (subject, data, command) =>
      trouble(
        `backup ${subject} is suspect`,
        [
          describeDetail(data["suspicion"]),
          "Nothing is removed until an operator has looked. If the loss was intended, acknowledge the backup.",
          command(`acknowledge ${shellQuote(subject)}`),
        ],
        { trouble: { condition: `dev.dormouse.backup.suspect ${subject}`, fault: "" } },
      ),
  },
  "dev.dormouse.backup.stale": {
    when: "daily",
    write: (_, data, command) =>
      trouble(
        `no recent backup of ${textIn(data, "database")} on the ${textIn(data, "place")}`,
        [
          describeDetail(data["staleness"]),
          "Look at the runs of the backup function, then force a backup.",
          command("runs backup"),
        ],
        {
          trouble: {
            condition: staleCondition(textIn(data, "database"), textIn(data, "place")),
            fault: "",
          },
        },
      ),
  },
  "dev.dormouse.restore.planned": {
    when: "always",
    write: (subject, data) =>
      Array.isArray(data["blockers"]) && data["blockers"].length === 0
        ? news(`restore of ${subject} is planned`, [`strategy: ${textIn(data, "strategy")}`])
        : undefined,
  },
  "dev.dormouse.restore.completed": {
    when: "always",
    write: (subject, data, command) => news(`restore from ${subject} is complete`, outcome(data, command)),
  },
  "dev.dormouse.restore.undone": {
    when: "always",
    write: (subject, data, command) => news(`restore ${subject} was undone`, outcome(data, command)),
  },
  "dev.dormouse.restore.rolledback": {
    when: "always",
    write: (subject, data, command) =>
      trouble(`restore of ${subject} failed, the database is as it was`, problemLines(data, command)),
  },
  "dev.dormouse.restore.unsettled": {
    when: "daily",
    write: (subject, data, command) =>
      trouble(
        `restore of ${subject} is neither complete nor taken back`,
        problemLines(data, command),
        failing("dev.dormouse.restore.unsettled", textIn(data, "run"), data),
      ),
  },
  "dev.dormouse.rehearsal.failed": {
    when: "daily",
    write: (subject, data, command) =>
      // To a restore, which has messages of its own.
      toProblem(data).code === "rehearsal_gave_way"
        ? undefined
        : trouble(
            `rehearsal of ${subject} failed: the backup is not proved`,
            problemLines(data, command),
            failing("dev.dormouse.rehearsal.failed", subject, data),
          ),
  },
  "dev.dormouse.rehearsal.stale": {
    when: "daily",
    write: (_, data, command) =>
      trouble(
        `no recent rehearsal of ${textIn(data, "database")}`,
        [
          describeDetail(data["staleness"]),
          "Look at the runs of the restore function, then rehearse a backup.",
          command(`rehearse latest --database ${shellQuote(textIn(data, "database"))}`),
        ],
        { trouble: { condition: `dev.dormouse.rehearsal.stale ${textIn(data, "database")}`, fault: "" } },
      ),
  },
  "dev.dormouse.rehearsal.completed": {
    when: "asked",
    write: (subject, data, command) => news(`rehearsal of ${subject} is complete`, outcome(data, command)),
  },
  "dev.dormouse.backup.completed": {
    when: "asked",
    write: (subject) => news(`backup ${subject} is complete`, []),
  },
  "dev.dormouse.cull.completed": {
    when: "asked",
    write: (subject, data) =>
      news(`cull of the ${subject} is complete`, [
        `removed: ${listOf(namesIn(data["removed"])) || "nothing"}`,
      ]),
  },
} satisfies Readonly<Record<string, Rule>>;

export type Told = keyof typeof RULES;

/**
 * The message of an event, or `undefined` where none is sent. Nothing in it comes from rows or from SQL. `asked`
 * are the types of NOTIFY_ON, `where` is the namespace, as far as it is known.
 */
export function describeEvent(
  { type, subject, data }: OutcomeEvent,
  asked: readonly string[] = [],
  where = "",
): Message | undefined {
  const rules: Readonly<Record<string, Rule>> = RULES;
  const rule = rules[type];
  if (rule === undefined || (rule.when === "asked" && !asked.includes(type))) return undefined;
  const namespace = where === "" ? "" : ` -n ${where}`;
  return rule.write(subject, data as Data, (text) => `Command: kubectl dormouse${namespace} ${text}`);
}

/** Its first line; `where` is the namespace, as far as it is known. */
export function headOf({ isTrouble, title }: Message, where: string): string {
  return `${isTrouble ? "Problem" : "News"}: ${title}${where === "" ? "" : ` (${where})`}`;
}

export function staleCondition(database: string, place: string): string {
  return `dev.dormouse.backup.stale ${database} ${place}`;
}

function failing(type: string, about: string, data: Data): Pick<Message, "trouble"> {
  return { trouble: { condition: `${type} ${about}`, fault: toProblem(data).code ?? "" } };
}

function toProblem(data: Data): Problem {
  return (data["problem"] ?? {}) as Problem;
}

function problemLines(data: Data, command: (text: string) => string): string[] {
  const { code = "", message = "", hint } = toProblem(data);
  const run = data["run"] === undefined ? [] : [command(`run ${textIn(data, "run")}`)];
  return [`${message} (${code})`, ...(hint === undefined ? [] : [`What to do: ${hint}`]), ...run];
}

function describeDetail(found: unknown): string {
  return textIn((found ?? {}) as Data, "detail");
}

function textIn(data: Data, field: string): string {
  const value = data[field];
  return typeof value === "string" ? value : "";
}

function outcome(data: Data, command: (text: string) => string): string[] {
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

/** A line for each database of a sweep. */
function failuresIn(failed: unknown): string[] {
  if (!Array.isArray(failed)) return [];
  return (failed as Data[]).map((each) => {
    const { code = "", message = "" } = toProblem(each);
    return `${textIn(each, "database")}: ${message} (${code})`;
  });
}

/** Without the sentence, which may have numbers that change. */
function faultOf(line: string): string {
  return `${line.split(":")[0]} ${line.slice(line.lastIndexOf("("))}`;
}

function namesIn(removed: unknown): readonly unknown[] {
  return Array.isArray(removed) ? removed.map((each) => (each as Data)["name"]) : [];
}

/** Some of a list, for a line. */
function listOf(value: unknown): string {
  const all = Array.isArray(value) ? value.map((each) => (typeof each === "string" ? each : "")) : [];
  return all.length > 3 ? `${all.slice(0, 3).join(", ")} and ${all.length - 3} more` : all.join(", ");
}
