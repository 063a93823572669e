import * as z from "zod";
import type { Verb } from "../../shared/http/authorize.ts";
import type { Run, RunContext } from "../../shared/run/run.ts";
import { choiceOf } from "../../shared/postgres/databases/load-choice.ts";
import { parseWanted } from "./plan/restorable.ts";
import { nearestHint, offeringNearest } from "../../shared/catalog/offer-nearest.ts";
import { DormouseError } from "../../shared/errors.ts";
import { provedAlready } from "./rehearsal/proved-already.ts";
import { recentRehearsal } from "./rehearsal/recent-rehearsal.ts";
import { rehearsalIn } from "./rehearsal/requested-by-event.ts";
import { restore } from "./restore.ts";
import type { IncomingEvent } from "../../shared/http/cloud-event.ts";
import type { RestoreDependencies, RestoreRequest } from "./restoring.ts";
import { showRestores } from "./show-restores.ts";
import { readBody } from "../../shared/http/read-body.ts";

const PING = "dev.knative.sources.ping";

const databaseName = z
  .string()
  .refine((name) => name !== "" && new TextEncoder().encode(name).length <= 63 && !name.includes("\0"));

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
  dryRun: flag.describe("true or false"),
});
const undoBody = z.strictObject({
  undo: z.string().min(1).max(100).describe("the id of a run of this function, restore-..."),
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

/** Turns requests into restores of one database; events only wake what is unfinished. */
export function restoreHandler(deps: RestoreDependencies, wake: (eventSource: string) => Promise<void>) {
  const { database } = deps.settings;
  return {
    kind: "restore" as const,
    covers: (name: string) => name === database,
    databaseOf: () => database,
    parseBody: (body: unknown) => parse(body, deps),
    parseEvent({ type, data }: { readonly type: string; readonly data?: unknown }): RestoreRequest {
      const rehearsal = type === PING ? rehearsalIn(data, database) : undefined;
      if (rehearsal !== undefined) return rehearsal;
      throw new DormouseError("event_unsupported", "no event starts a restore", {
        hint: "a ping wakes what is unfinished, or asks for a rehearsal; POST a filename to restore",
      });
    },
    async onEvent(event: IncomingEvent): Promise<boolean> {
      if (event.type !== PING || rehearsalIn(event.data, database) !== undefined) return false;
      await wake(event.source);
      return true;
    },
    async answeredBy(request: unknown, known: readonly Run[]): Promise<Run | undefined> {
      const run = recentRehearsal(request, known, deps.settings);
      if (run !== undefined) deps.log.info("event answered by a current rehearsal", { run: run.id });
      return run;
    },
    verbsOf: (): readonly [Verb] => ["restore"],
    work: async (context: RunContext) => {
      const request = requestSchema.parse(context.run.request);
      return (await provedAlready(deps, request, context)) ?? restore(deps, request, context);
    },
    show: (signal: AbortSignal) => showRestores(deps, signal),
  };
}

async function parse(body: unknown, deps: RestoreDependencies): Promise<RestoreRequest> {
  const { database } = deps.settings;
  if (typeof body === "object" && body !== null && "undo" in body) {
    const { undo, dryRun = false } = readBody(undoBody, body);
    return { kind: "undo", run: undo, dryRun };
  }
  const {
    filename,
    strategy,
    into,
    fromElsewhere,
    dryRun = false,
    ...asked
  } = readBody(restoreBody, body, "or be {undo, dryRun?} with the id of a run");
  if (strategy === "in-place" && asked.compare !== undefined)
    throw new DormouseError(
      "request_invalid",
      "values cannot be compared before a restore in place commits",
      {
        hint: 'leave compare out: the numbers of rows are compared; {"filename":...,"into":"scratch"} compares values first',
      },
    );
  // Refused before a run is recorded: what is no name of ours never reaches the volume.
  await refuseMisnamed(deps, filename);
  const whose = fromElsewhere === undefined ? {} : { fromElsewhere };
  return {
    kind: "restore",
    filename,
    dryRun,
    ...whose,
    ...choiceOf(asked),
    ...chooseStrategy(strategy, into, database),
  };
}

async function refuseMisnamed({ volume, settings }: RestoreDependencies, filename: string): Promise<void> {
  const { database } = settings;
  try {
    parseWanted(filename, database);
  } catch (error) {
    throw await offeringNearest(error, volume, (listing) => nearestHint(listing, database, filename));
  }
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
