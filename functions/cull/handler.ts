import * as z from "zod";
import { parseArchiveName, type ArchiveName } from "../../shared/catalog/archive-name.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { nearestBackup, offeringNearest } from "../../shared/catalog/offer-nearest.ts";
import type { RetentionPolicy } from "../../shared/retention/retention-policy.ts";
import type { Verb } from "../../shared/http/authorize.ts";
import { mergedCatalog } from "../../shared/catalog/merged-catalog.ts";
import type { Run, RunContext } from "../../shared/run/run.ts";
import { DormouseError } from "../../shared/errors.ts";
import { cullPlaces, type CullPlacesDependencies } from "./cull-places.ts";
import { retireDatabase } from "./marks/retire-database.ts";
import { markBackup } from "./marks/mark-backup.ts";
import { readBody } from "../../shared/http/read-body.ts";
import { recentCull } from "./recent-cull.ts";
import type { CullRequest } from "./remove-planned.ts";
import { never } from "../../shared/waiting.ts";

const name = z
  .string()
  .refine((text) => parseArchiveName(text) !== undefined)
  .transform((text) => text as ArchiveName)
  .describe("the name of a backup as GET / of the backup function lists it, with its folder");
const reason = z.string().min(1).max(200).optional().describe("text of 1 to 200 characters");

const count = z.int().min(0).max(10_000).optional().describe("a whole number from 0 to 10000");
/** Counts to try, by the names of the variables that would set them. */
const trial = z.strictObject({
  NUM_BACKUPS: z.int().min(1).max(10_000).optional().describe("a whole number from 1 to 10000"),
  KEEP_DAILY: count,
  KEEP_WEEKLY: count,
  KEEP_MONTHLY: count,
  KEEP_YEARLY: count,
  KEEP_WITHIN_DAYS: count,
});
const cullBody = z.strictObject({
  dryRun: z.boolean().optional().describe("true or false"),
  keep: trial.optional().describe("the counts to try, like {NUM_BACKUPS: 7, KEEP_WEEKLY: 4}"),
});
const MARKS = {
  pin: z.strictObject({ pin: name, reason }),
  unpin: z.strictObject({ unpin: name }),
  acknowledge: z.strictObject({ acknowledge: name, reason }),
} as const;
const retireBody = z.strictObject({
  retire: z.string().min(1).max(63).describe("the name of a database that is gone for good"),
  reason: z.string().min(1).max(200).describe("text of 1 to 200 characters"),
});
type Mark = keyof typeof MARKS;
type MarkBody = { readonly [Key in Mark]: ArchiveName } & { readonly reason?: string };
const OTHER_BODIES =
  "or be {pin, reason?}, {unpin} or {acknowledge, reason?}, each with the name of a backup, or {retire, reason} with the name of a database";

/** As it lies in the record of a run, from where it may be resumed. */
const requestSchema = z.discriminatedUnion("action", [
  z.object({
    action: z.literal("cull"),
    dryRun: z.boolean(),
    after: name.optional(),
    keep: trial.optional(),
  }),
  z.object({ action: z.enum(["pin", "unpin", "acknowledge"]), backup: name, reason }),
  z.object({ action: z.literal("retire"), database: z.string(), reason: z.string() }),
]);
type Request = z.output<typeof requestSchema>;
type Trial = z.output<typeof trial> | undefined;

const NEWS = "dev.dormouse.backup.completed";
const TYPES = [NEWS, "dev.knative.sources.ping"];
const OURS = "dev.dormouse.";
const TROUBLE = /\.(failed|suspect|stale|rolledback|unsettled)$/;
type ReceivedEvent = {
  readonly type: string;
  readonly subject?: string | undefined;
  readonly data?: unknown;
};
type Settings = Omit<CullRequest, "dryRun"> & {
  readonly adoptLimit: number;
  /** Of events, however many come. */
  readonly minIntervalMs: number;
};

/** Which database a run is about: all that have backups on the volume. */
const EVERY_DATABASE = "*";

/** Turns requests and events into culls of the volume and the bucket, and marks single backups. */
export function cullHandler(deps: CullPlacesDependencies, { minIntervalMs, ...settings }: Settings) {
  const { catalog, bucket } = deps;
  const bothPlaces = bucket === undefined ? catalog : mergedCatalog(catalog, bucket.catalog);
  return {
    kind: "cull" as const,
    covers: (database: string) => database === EVERY_DATABASE,
    databaseOf: () => EVERY_DATABASE,
    parseBody: (body: unknown): Promise<Request> => parseBody(catalog, body),
    /**
     * Without a broker all that a backup says comes here. What starts no cull is taken, or it counts as undelivered; what
     * needs a person is said once more, in a log that outlives the pod of the backup.
     */
    async onEvent({ type, subject, data }: ReceivedEvent): Promise<boolean> {
      if (!type.startsWith(OURS) || TYPES.includes(type)) return false;
      if (TROUBLE.test(type)) deps.log.error("database fault reported", { type, subject, told: data });
      return true;
    },
    parseEvent,
    async answeredBy(request: unknown, known: readonly Run[]): Promise<Run | undefined> {
      const asked = requestSchema.parse(request);
      if (asked.action !== "cull") return undefined;
      const recently = {
        find: (wanted: ArchiveName) => catalog.find(wanted, never),
        minIntervalMs,
      };
      const run = await recentCull(asked, known, recently);
      if (run !== undefined) deps.log.info("event answered by a current cull", { run: run.id });
      return run;
    },
    work: (context: RunContext): Promise<unknown> => {
      const request = requestSchema.parse(context.run.request);
      if (request.action === "retire")
        return retireDatabase({ ...deps, catalog: bothPlaces }, request, context);
      return request.action === "cull"
        ? cullPlaces(
            deps,
            { ...settings, policy: tried(settings.policy, request), dryRun: request.dryRun },
            context,
          )
        : markBackup({ ...deps, catalog: bothPlaces, volume: catalog }, request, context);
    },
    verbsOf,
  };
}

/** The event says that there is a new backup; what to keep is decided by what lies on the volume. */
function parseEvent({ type, subject, data }: ReceivedEvent): Request {
  if (!TYPES.includes(type)) {
    throw new DormouseError("event_unsupported", `events of type ${JSON.stringify(type)} start no cull`, {
      hint: `send ${TYPES.join(" or ")}, or filter in the Trigger`,
    });
  }
  if (type !== NEWS) return parseCull(data ?? {});
  const after = name.safeParse(subject);
  return { action: "cull", dryRun: false, ...(after.success ? { after: after.data } : {}) };
}

/** What cull goes by, pins and the like, takes a right of its own. */
function verbsOf(body: unknown): readonly [Verb] {
  return [toMark(body) === undefined && !isRetiring(body) ? "cull" : "pin"];
}

function isRetiring(body: unknown): boolean {
  return typeof body === "object" && body !== null && "retire" in body;
}

function toMark(body: unknown): Mark | undefined {
  const marks = Object.keys(MARKS) as Mark[];
  return typeof body === "object" && body !== null ? marks.find((mark) => mark in body) : undefined;
}

async function parseBody(volume: Pick<Catalog, "list">, body: unknown): Promise<Request> {
  if (isRetiring(body)) {
    const { retire: database, reason: why } = readBody(retireBody, body);
    return { action: "retire", database, reason: why };
  }
  const action = toMark(body);
  if (action === undefined) return parseCull(body);
  const { [action]: backup, reason: given } = await readMark(volume, action, body);
  return { action, backup, ...(given === undefined ? {} : { reason: given }) };
}

async function readMark(volume: Pick<Catalog, "list">, action: Mark, body: unknown): Promise<MarkBody> {
  const schema: z.ZodObject = MARKS[action];
  try {
    return readBody(schema, body) as MarkBody;
  } catch (error) {
    const wanted = (body as Readonly<Record<string, unknown>>)[action];
    if (typeof wanted !== "string" || name.safeParse(wanted).success) throw error;
    throw await offeringNearest(error, volume, ({ backups }) => nearestBackup(backups, wanted));
  }
}

function parseCull(body: unknown): Request {
  const { dryRun = false, keep } = readBody(cullBody, body, OTHER_BODIES);
  if (keep === undefined) return { action: "cull", dryRun };
  if (dryRun) return { action: "cull", dryRun, keep };
  throw new DormouseError("request_invalid", "keep is for a dry run: it says which counts to try", {
    hint: "add dryRun: true; the variables of docs/configuration.md set the counts of a cull",
  });
}

/** The counts of the configuration, but for those that a dry run tries. As many days as backups, as without KEEP_DAILY. */
function tried(
  policy: RetentionPolicy,
  { dryRun, keep }: { dryRun: boolean; keep?: Trial },
): RetentionPolicy {
  if (!dryRun || keep === undefined) return policy;
  const newest = keep.NUM_BACKUPS ?? policy.newest;
  return {
    ...policy,
    newest,
    daily: keep.KEEP_DAILY ?? (policy.daily === policy.newest ? newest : policy.daily),
    weekly: keep.KEEP_WEEKLY ?? policy.weekly,
    monthly: keep.KEEP_MONTHLY ?? policy.monthly,
    yearly: keep.KEEP_YEARLY ?? policy.yearly,
    withinDays: keep.KEEP_WITHIN_DAYS ?? policy.withinDays,
  };
}
