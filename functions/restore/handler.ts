import * as z from "zod";
import type { Verb } from "../../shared/http/authorize.ts";
import { noDatabaseOfThis, type DatabaseChoice } from "../../shared/config/database-choice.ts";
import type { Work } from "../../shared/run/execute-run.ts";
import { ALL_DATABASES, type Run, type RunContext } from "../../shared/run/run.ts";
import { choiceOf } from "../../shared/postgres/load/load-choice.ts";
import { parseWanted, readWanted } from "./plan/restorable.ts";
import { EFFECTS } from "./plan/strategy.ts";
import { nearestBackup, nearestHint, offeringNearest } from "../../shared/catalog/offer-nearest.ts";
import { DormouseError } from "../../shared/errors.ts";
import { provedAlready } from "./rehearsal/proved-already.ts";
import { recentRehearsal } from "./rehearsal/recent-rehearsal.ts";
import { rehearsalIn } from "./rehearsal/requested-by-event.ts";
import { restore } from "./restore.ts";
import type { IncomingEvent } from "../../shared/http/cloud-event.ts";
import type { RestoreDependencies, RestoreRequest } from "./restoring.ts";
import { showRestores } from "./show-restores.ts";
import { backedUp, databaseOfBackup, databaseOfRun } from "./databases/which-database.ts";
import { readBody } from "../../shared/http/read-body.ts";

const PING = "dev.knative.sources.ping";

const databaseName = z
  .string()
  .refine((name) => name !== "" && new TextEncoder().encode(name).length <= 63)
  .refine((name) => name.isWellFormed() && !name.includes("\0"));

const database = databaseName.optional().describe("the name of a database of this installation");
const flag = z.boolean().optional();
/** All to the role that restores; entries of the archive that it does without. */
const choice = {
  createRoles: flag.describe("true to make the roles that the server lacks, without passwords"),
  owner: z.literal("current").optional().describe("current: all belongs to the role that restores"),
  compare: z.literal("values").optional().describe("values: not only the numbers of rows"),
  leaveOut: z
    .array(
      z
        .string()
        .min(1)
        .max(1_000)
        .regex(/^[^\r\n]+$/),
    )
    .max(100)
    .optional()
    .describe("a list of at most 100 entries of the archive, as pg_restore --list writes them"),
};
const restoreBody = z.strictObject({
  filename: z.string().min(1).max(300).describe("the name of a backup as GET / lists it, or latest"),
  strategy: z.enum(["swap", "in-place"]).optional().describe("swap or in-place"),
  into: databaseName.optional().describe("scratch, or the name of a database to make: 1 to 63 bytes"),
  fromElsewhere: flag.describe("true for a backup of another server or namespace"),
  ...choice,
  database,
  dryRun: flag.describe("true or false"),
});
const undoBody = z.strictObject({
  undo: z.string().min(1).max(100).describe("the id of a run of this function, restore-..."),
  database,
  dryRun: flag.describe("true or false"),
});

/** As it lies in the record of a run, from where it may be resumed. */
const requestSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("restore"),
    filename: z.string(),
    strategy: z.enum(["swap", "in-place", "rehearse", "beside"]),
    target: z.string().optional(),
    fromElsewhere: z.boolean().optional(),
    ifUnproven: z.boolean().optional(),
    ...choice,
    dryRun: z.boolean(),
  }),
  z.object({ kind: z.literal("undo"), run: z.string(), dryRun: z.boolean() }),
]);

export type RestoreWiring = {
  /** What one database is restored with, or all of them are shown with. */
  readonly depsOf: (database: string) => RestoreDependencies;
  readonly choice: DatabaseChoice;
  /** Rehearses each, by a run of its own. */
  readonly rehearseAll: Work;
  readonly wake: (eventSource: string) => Promise<void>;
};

/** Turns requests into restores, each of one database; events only wake what is unfinished, or ask for a rehearsal. */
export function restoreHandler({ depsOf, choice, rehearseAll, wake }: RestoreWiring) {
  const everything = depsOf(ALL_DATABASES);
  return {
    kind: "restore" as const,
    covers: (database: string) => database === ALL_DATABASES || choice.includes(database),
    databaseOf: ({ database }: Pick<RestoreRequest, "database">) => database ?? choice.only ?? ALL_DATABASES,
    parseBody: (body: unknown) => parse(body, everything),
    async parseEvent({ type, data }: { readonly type: string; readonly data?: unknown }) {
      const rehearsal = type === PING ? rehearsalIn(data, choice) : undefined;
      if (rehearsal !== undefined) return ofKnown(everything, rehearsal);
      throw new DormouseError("event_unsupported", "no event starts a restore", {
        hint: "a ping wakes what is unfinished, or asks for a rehearsal; POST a filename to restore",
      });
    },
    async onEvent(event: IncomingEvent): Promise<boolean> {
      if (event.type !== PING || rehearsalIn(event.data, choice) !== undefined) return false;
      await wake(event.source);
      return true;
    },
    async answeredBy(request: unknown, known: readonly Run[]): Promise<Run | undefined> {
      const run = recentRehearsal(request, known, everything.settings);
      if (run !== undefined) everything.log.info("event answered by a current rehearsal", { run: run.id });
      return run;
    },
    verbsOf: (): readonly [Verb] => ["restore"],
    work: async (context: RunContext): Promise<unknown> => {
      const { database } = context.run;
      if (database === ALL_DATABASES) return rehearseAll(context);
      const deps = depsOf(database);
      const request = requestSchema.parse(context.run.request);
      return (await provedAlready(deps, request, context)) ?? restore(deps, request, context);
    },
    show: (signal: AbortSignal) => showRestores(everything, signal),
  };
}

/** A pattern includes names that a sender makes up: of what has no backup no run is recorded. A volume that cannot be read says nothing of it. */
async function ofKnown(deps: RestoreDependencies, request: RestoreRequest): Promise<RestoreRequest> {
  const { database } = request;
  const isKnown =
    database === undefined ||
    deps.choice.named.includes(database) ||
    (await backedUp(deps)).includes(database);
  if (isKnown) return request;
  throw noDatabaseOfThis(database);
}

async function parse(body: unknown, deps: RestoreDependencies): Promise<RestoreRequest> {
  const { choice } = deps;
  if (typeof body === "object" && body !== null && "undo" in body) {
    const asked = readBody(undoBody, body);
    const database = await databaseOfRun(deps, asked);
    refuseMaintenance(deps, database);
    return { kind: "undo", run: asked.undo, dryRun: asked.dryRun ?? false, ...ofSeveral(choice, database) };
  }
  const {
    filename,
    strategy,
    into,
    fromElsewhere,
    dryRun = false,
    database: named,
    ...asked
  } = readBody(restoreBody, body, "or be {undo, database?, dryRun?} with the id of a run");
  if (strategy === "in-place" && asked.compare !== undefined)
    throw new DormouseError(
      "request_invalid",
      "values cannot be compared before a restore in place commits",
      {
        hint: 'leave compare out: the numbers of rows are compared; {"filename":...,"into":"scratch"} compares values first',
      },
    );
  // Refused before a run is recorded: what is no name of ours never reaches the volume.
  const database = await findDatabase(deps, { filename, database: named });
  const chosen = chooseStrategy(strategy, into, database);
  if (EFFECTS[chosen.strategy].stops) refuseMaintenance(deps, database);
  return {
    kind: "restore",
    filename,
    dryRun,
    ...ofSeveral(choice, database),
    ...(fromElsewhere === undefined ? {} : { fromElsewhere }),
    ...choiceOf(asked),
    ...chosen,
  };
}

/** Of the only one a request says nothing. */
function ofSeveral({ only }: DatabaseChoice, database: string): Pick<RestoreRequest, "database"> {
  return only === undefined ? { database } : {};
}

async function findDatabase(
  deps: RestoreDependencies,
  asked: { readonly filename: string; readonly database: string | undefined },
): Promise<string> {
  const { filename } = asked;
  const known = asked.database ?? deps.choice.only;
  const reading = async (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      throw await offeringNearest(error, deps.volume, (listing) =>
        known === undefined
          ? nearestBackup(listing.backups, filename)
          : nearestHint(listing, known, filename),
      );
    }
  };
  await reading(() => readWanted(filename));
  const found = await databaseOfBackup(deps, asked);
  await reading(() => parseWanted(filename, found));
  return found;
}

/** Of the only database the configuration says so. */
function refuseMaintenance({ connection }: RestoreDependencies, database: string): void {
  if (database !== connection.maintenanceDatabase) return;
  const message = `${JSON.stringify(database)} is MAINTENANCE_DATABASE: no session can stay in it while it is restored`;
  throw new DormouseError("request_invalid", message, {
    hint: "CREATE DATABASE one that stays empty, and set MAINTENANCE_DATABASE to it for all functions",
  });
}

function chooseStrategy(
  strategy: "swap" | "in-place" | undefined,
  into: string | undefined,
  database: string,
): { readonly strategy: "swap" | "in-place" | "rehearse" | "beside"; readonly target?: string } {
  if (into === undefined) return { strategy: strategy ?? "swap" };
  if (strategy !== undefined)
    throw new DormouseError("request_invalid", "into and strategy cannot both be given", {
      hint: "leave strategy out: into leaves the live database alone, and there is nothing to swap",
    });
  if (into === "scratch") return { strategy: "rehearse" };
  if (into !== database) return { strategy: "beside", target: into };
  throw new DormouseError("request_invalid", `into names the live database ${JSON.stringify(database)}`, {
    hint: "leave into out to restore the live database",
  });
}
