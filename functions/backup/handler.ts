import * as z from "zod";
import type { Verb } from "../../shared/http/authorize.ts";
import type { Work } from "../../shared/run/execute-run.ts";
import { ALL_DATABASES, type Run, type RunContext } from "../../shared/run/run.ts";
import { noDatabaseOfThis, refuseOthers, type DatabaseChoice } from "../../shared/config/database-choice.ts";
import { answerSweep } from "./sweep/swept.ts";
import { DormouseError } from "../../shared/errors.ts";
import type { BackupDependencies, BackupRequest } from "../../shared/backup/taking-backup.ts";
import { showCatalog } from "../../shared/catalog/show-catalog.ts";
import { takeBackup } from "../../shared/backup/take-backup.ts";
import { parseTablePattern } from "../../shared/postgres/exclusions/table-pattern.ts";
import { readBody } from "../../shared/http/read-body.ts";
import { namesOfDatabases } from "../../shared/postgres/databases/list-databases.ts";
import { coalesced, never } from "../../shared/waiting.ts";

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/)
  .transform((text) => Number(text.slice(0, -1)) * UNIT_MS[text.slice(-1) as keyof typeof UNIT_MS]);

/** What a person, or the data of an event, may ask for. */
const bodySchema = z.strictObject({
  label: z.string().min(1).max(200).optional().describe("text of 1 to 200 characters"),
  pin: z
    .union([z.boolean(), z.string().min(1).max(200)])
    .optional()
    .describe("true, false, or the reason: text of 1 to 200 characters"),
  excludeTableData: z
    .array(
      z
        .string()
        .max(300)
        .refine((text) => parseTablePattern(text) !== undefined),
    )
    .max(100)
    .optional()
    .describe('a list of at most 100 patterns as pg_dump --exclude-table-data takes them, like "audit.*"'),
  ifOlderThan: duration.optional().describe('a number with s, m, h or d, like "23h"'),
  database: z
    .string()
    .min(1)
    .max(63)
    .refine((name) => name.isWellFormed() && !name.includes("\0"))
    .optional()
    .describe("the name of a database of this installation"),
});

/** A pin needs a caller with the right to it: an event carries none. What each night takes, the configuration says. */
const eventSchema = bodySchema.omit({ pin: true, excludeTableData: true });

/** As it lies in the record of a run, from where it may be resumed. */
const requestSchema = z.object({
  label: z.string().optional(),
  pin: z.string().optional(),
  ifOlderThanMs: z.number().optional(),
  excludeTableData: z.array(z.string()).optional(),
  database: z.string().optional(),
  isEvent: z.boolean(),
});
type Asked = z.output<typeof requestSchema>;

type Settings = Pick<BackupRequest, "allowIncomplete" | "retryForMs"> & {
  readonly choice: DatabaseChoice;
  /** Patterns of tables whose rows are left out unless a request names others. */
  readonly excludeTableData: readonly string[];
  /** Events take no backup while a verified one is younger: however many come, they fill no volume. */
  readonly minIntervalMs: number;
};

type BackupWiring = {
  /** What one database is backed up with, or all of them are listed with. */
  readonly depsOf: (database: string) => BackupDependencies;
  /** Backs up all, each by a run of its own. */
  readonly sweep: Work;
  /** Whether there is such a database, where a pattern includes any name: events need no token. */
  readonly isKnown: (database: string) => Promise<boolean>;
};

/** Turns requests and events into backups: of the database that they name, or of the only one, or of all. */
export function backupHandler({ depsOf, sweep, isKnown }: BackupWiring, settings: Settings) {
  const { choice, ...rest } = settings;
  const everything = depsOf(ALL_DATABASES);
  return {
    kind: "backup" as const,
    covers: (database: string) => database === ALL_DATABASES || choice.includes(database),
    databaseOf: ({ database }: Partial<Asked>) => database ?? choice.only ?? ALL_DATABASES,
    parseBody: (body: unknown) => parse(body, choice, false),
    async parseEvent(event: { readonly type: string; readonly data?: unknown }) {
      if (event.type === "dev.knative.sources.ping")
        return refuseMadeUp(parse(event.data ?? {}, choice, true), choice, isKnown);
      throw new DormouseError(
        "event_unsupported",
        `events of type ${JSON.stringify(event.type)} start no backup`,
        {
          hint: "send dev.knative.sources.ping, or filter in the Trigger",
        },
      );
    },
    /** What is pinned no cull removes: a right of its own. */
    verbsOf: (body: unknown): readonly [Verb, ...Verb[]] =>
      isObject(body) && "pin" in body ? ["backup", "pin"] : ["backup"],
    work: (context: RunContext): Promise<unknown> => {
      const { database } = context.run;
      if (database === ALL_DATABASES) return sweep(context);
      const { isEvent, excludeTableData, ...asked } = requestSchema.parse(context.run.request);
      const { minIntervalMs, excludeTableData: configured, ...always } = rest;
      const ifOlderThanMs = isEvent ? Math.max(asked.ifOlderThanMs ?? 0, minIntervalMs) : asked.ifOlderThanMs;
      const exclude = excluding(configured, excludeTableData);
      const request = { ...always, ...asked, ...exclude, database, ifOlderThanMs, waitsForLock: isEvent };
      return takeBackup({ ...depsOf(database), ...context, request });
    },
    answer: (run: Run) => answerSweep(everything.runs, run),
    show: async (signal: AbortSignal) =>
      (await showCatalog(everything, everything.catalog, choice.includes, signal)).listing,
  };
}

/** A request that leaves out what is left out anyway, or less, makes no other backup than a night does. */
function excluding(
  configured: readonly string[],
  asked: readonly string[] | undefined,
): Pick<BackupRequest, "exclude"> {
  const patterns = asked ?? configured;
  if (patterns.length === 0) return {};
  const by = patterns.every((pattern) => configured.includes(pattern)) ? "configuration" : "request";
  return { exclude: { by, patterns } };
}

function isObject(body: unknown): body is object {
  return typeof body === "object" && body !== null;
}

async function refuseMadeUp(
  asked: Asked,
  { named }: DatabaseChoice,
  isKnown: BackupWiring["isKnown"],
): Promise<Asked> {
  const { database } = asked;
  if (database !== undefined && !named.includes(database) && !(await isKnown(database)))
    throw noDatabaseOfThis(database);
  return asked;
}

function parse(body: unknown, choice: DatabaseChoice, isEvent: boolean): Asked {
  const asked: z.output<typeof bodySchema> = readBody(isEvent ? eventSchema : bodySchema, body);
  const { label, pin, ifOlderThan, excludeTableData, database } = asked;
  if (database !== undefined) refuseOthers(choice, database);
  const reason = pin === true ? "pinned on request" : pin === false ? undefined : pin;
  return {
    isEvent,
    ...(label === undefined ? {} : { label }),
    ...(reason === undefined ? {} : { pin: reason }),
    ...(excludeTableData === undefined ? {} : { excludeTableData }),
    ...(ifOlderThan === undefined ? {} : { ifOlderThanMs: ifOlderThan }),
    ...(database === undefined ? {} : { database }),
  };
}

/**
 * Whether a name is that of a database: the server has it, or there are backups of it and its own run says that it is gone.
 * A pattern includes whatever a sender of events makes up, and each name has its own records. In doubt it is one. Events need
 * no token: however many come at once, one session asks the server for all of them.
 */
export function knownDatabase({ connection, catalog }: Pick<BackupDependencies, "connection" | "catalog">) {
  const existing = coalesced((signal) => namesOfDatabases(connection, signal));
  return async (database: string): Promise<boolean> => {
    const names = await existing(never).catch(() => undefined);
    if (names === undefined || names.has(database)) return true;
    const { backups } = await catalog.list(never);
    return backups.some((backup) => backup.database === database);
  };
}
