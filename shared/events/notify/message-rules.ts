import { shellQuote } from "../../shell-quote.ts";
import type { OutcomeEvent } from "../../run/run.ts";
import {
  type Command,
  type Data,
  describeDetail,
  failuresIn,
  listOf,
  namesIn,
  outcome,
  problemLines,
  textIn,
  toProblem,
} from "./event-data.ts";
import { type Message, news, trouble } from "./message.ts";

type Write = (subject: string, data: Data, command: Command) => Message | undefined;

/** `daily`: the same fault again only after a day. `asked`: if NOTIFY_ON names it. */
type Rule = { readonly when: "always" | "daily" | "asked"; readonly write: Write };

/** What all chats take at once; the record has them all. */
const MOST_FAILURES = 5;

/** What is sent as a message, by event type; docs/notifications.md has the same table. */
export const RULES = {
  "dev.dormouse.backup.failed": {
    when: "daily",
    write: (subject, data, command) =>
      // What failed of several has one message, of them all.
      data["sweep"] === undefined
        ? {
            ...failure(`backup of ${subject} failed`, `dev.dormouse.backup.failed ${subject}`, data, command),
            database: textIn(data, "database"),
          }
        : undefined,
  },
  "dev.dormouse.backup.swept": {
    when: "daily",
    write: (subject, data, command) => {
      const [added, gone] = [listOf(data["new"]), listOf(data["vanished"])];
      const failed = failuresIn(data["failed"]);
      if (added === "" && gone === "" && failed.length === 0) return undefined;
      const lines = [
        ...failed.slice(0, MOST_FAILURES).map(({ line }) => line),
        ...(failed.length > MOST_FAILURES ? [`and ${failed.length - MOST_FAILURES} more`] : []),
        ...(added === "" ? [] : [`new, and backed up for the first time: ${added}`]),
        ...(gone === "" ? [] : [`gone, their backups stay: ${gone}`, command("list")]),
      ];
      if (failed.length > 0)
        return trouble(
          `backups of ${counted(failed)} of ${subject} failed`,
          [...lines, command("runs backup")],
          {
            condition: "dev.dormouse.backup.failed *",
            fault: failed.map(({ fault }) => fault).join(", "),
          },
        );
      const title = `the databases of ${subject} have changed`;
      if (gone === "") return news(title, lines);
      return trouble(title, lines, { condition: `dev.dormouse.backup.swept ${subject}`, fault: gone });
    },
  },
  "dev.dormouse.mirror.failed": {
    when: "daily",
    write(_, data, command) {
      const database = textIn(data, "database");
      const title = `backups of ${database} are missing in the bucket`;
      const failed = failure(title, `dev.dormouse.mirror.failed ${database}`, data, command);
      return { ...failed, lines: [`missing there: ${listOf(data["lacking"])}`, ...failed.lines] };
    },
  },
  "dev.dormouse.cull.failed": {
    when: "daily",
    write: (subject, data, command) =>
      failure(`cull of the ${subject} failed`, `dev.dormouse.cull.failed ${subject}`, data, command),
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
        { condition: `dev.dormouse.backup.suspect ${subject}`, fault: "" },
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
        { condition: staleCondition(textIn(data, "database"), textIn(data, "place")), fault: "" },
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
      failure(
        `restore of ${subject} is neither complete nor taken back`,
        `dev.dormouse.restore.unsettled ${textIn(data, "run")}`,
        data,
        command,
      ),
  },
  "dev.dormouse.rehearsal.failed": {
    when: "daily",
    write: (subject, data, command) =>
      // To a restore, which has messages of its own.
      toProblem(data).code === "rehearsal_gave_way"
        ? undefined
        : failure(
            `rehearsal of ${subject} failed: the backup is not proved`,
            `dev.dormouse.rehearsal.failed ${subject}`,
            data,
            command,
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
        { condition: `dev.dormouse.rehearsal.stale ${textIn(data, "database")}`, fault: "" },
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

export function staleCondition(database: string, place: string): string {
  return `dev.dormouse.backup.stale ${database} ${place}`;
}

function counted({ length }: readonly unknown[]): string {
  return length === 1 ? "1 database" : `${length} databases`;
}

/** Why a run failed. Another message goes out at once where `condition` then has another code. */
function failure(title: string, condition: string, data: Data, command: Command): Message {
  return trouble(title, problemLines(data, command), { condition, fault: toProblem(data).code ?? "" });
}
