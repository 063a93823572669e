import * as z from "zod";
import type { Verb } from "../../shared/backup/authorize.ts";
import type { RunContext } from "../../shared/backup/run.ts";
import { parseWanted } from "../../shared/backup/restorable.ts";
import { DormouseError } from "../../shared/errors.ts";
import { restore } from "../../shared/operations/restore.ts";
import type { RestoreDependencies, RestoreRequest } from "../../shared/operations/restore-dependencies.ts";
import { showRestores } from "../../shared/operations/show-restores.ts";

const databaseName = z
  .string()
  .refine((name) => name !== "" && new TextEncoder().encode(name).length <= 63 && !name.includes("\0"));

const restoreBody = z.strictObject({
  filename: z.string().min(1).max(300),
  strategy: z.enum(["swap", "in-place"]).optional(),
  /** `scratch`, or the name of a database to make. */
  into: databaseName.optional(),
  /** Of a server or a namespace that is not this one. */
  fromElsewhere: z.boolean().optional(),
  dryRun: z.boolean().optional(),
});
const undoBody = z.strictObject({ undo: z.string().min(1).max(100), dryRun: z.boolean().optional() });

/** As it lies in the record of a run, from where it may be taken up. */
const requestSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("restore"),
    filename: z.string(),
    strategy: z.enum(["swap", "in-place", "rehearse", "beside"]),
    target: z.string().optional(),
    fromElsewhere: z.boolean().optional(),
    dryRun: z.boolean(),
  }),
  z.object({ kind: z.literal("undo"), run: z.string(), dryRun: z.boolean() }),
]);

/** Turns requests into restores of one database; events only wake what is unfinished. */
export function restoreHandler(deps: RestoreDependencies, wake: (eventSource: string) => Promise<void>) {
  const { database } = deps.settings;
  return {
    kind: "restore" as const,
    database,
    parseBody: (body: unknown) => parse(body, database),
    parseEvent(): never {
      throw new DormouseError("event_unsupported", "no event starts a restore", {
        hint: "a ping wakes what is unfinished; POST a filename to restore",
      });
    },
    async onEvent(event: { readonly type: string; readonly source: string }): Promise<boolean> {
      if (event.type !== "dev.knative.sources.ping") return false;
      await wake(event.source);
      return true;
    },
    verbsOf: (): readonly [Verb] => ["restore"],
    work: (context: RunContext) => restore(deps, requestSchema.parse(context.run.request), context),
    show: (signal: AbortSignal) => showRestores(deps, signal),
  };
}

function parse(body: unknown, database: string): RestoreRequest {
  if (typeof body === "object" && body !== null && "undo" in body) {
    const { undo, dryRun = false } = read(undoBody, body);
    return { kind: "undo", run: undo, dryRun };
  }
  const { filename, strategy, into, fromElsewhere, dryRun = false } = read(restoreBody, body);
  // Refused before a run is recorded: what is no name of ours never reaches the volume.
  parseWanted(filename, database);
  const flag = fromElsewhere === undefined ? {} : { fromElsewhere };
  return { kind: "restore", filename, dryRun, ...flag, ...strategyOf(strategy, into, database) };
}

function strategyOf(
  strategy: "swap" | "in-place" | undefined,
  into: string | undefined,
  database: string,
): { readonly strategy: "swap" | "in-place" | "rehearse" | "beside"; readonly target?: string } {
  if (into === undefined) return { strategy: strategy ?? "swap" };
  if (strategy !== undefined)
    throw new DormouseError("request_invalid", "into and strategy cannot both be given", {
      hint: "into leaves the live database alone: there is nothing to exchange",
    });
  if (into === "scratch") return { strategy: "rehearse" };
  if (into !== database) return { strategy: "beside", target: into };
  throw new DormouseError("request_invalid", `into names the live database ${JSON.stringify(database)}`, {
    hint: "leave into out to restore the live database",
  });
}

function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join(".") || "the body"}: ${message}`,
  );
  throw new DormouseError("request_invalid", `the request has mistakes: ${faults.join("; ")}`, {
    hint: "allowed are filename with strategy (swap or in-place), into, fromElsewhere or dryRun; or undo with the id of a run",
  });
}
