import * as z from "zod";
import { parseArchiveName, type ArchiveName } from "../../shared/catalog/archive-name.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import { nearestBackup, offeringNearest } from "../../shared/catalog/offer-nearest.ts";
import type { Verb } from "../../shared/http/authorize.ts";
import { catalogOfBothPlaces } from "../../shared/catalog/merged-catalog.ts";
import type { Run, RunContext } from "../../shared/run/run.ts";
import { DormouseError } from "../../shared/errors.ts";
import { cullPlaces, type CullPlacesDependencies } from "./cull-places.ts";
import { markBackup } from "./marks/mark-backup.ts";
import { readBody } from "../../shared/http/read-body.ts";
import { recentCull } from "./recent-cull.ts";
import type { CullRequest } from "./remove-planned.ts";

const name = z
  .string()
  .refine((text) => parseArchiveName(text) !== undefined)
  .transform((text) => text as ArchiveName)
  .describe("the name of a backup as GET / of the backup function lists it, with its folder");
const reason = z.string().min(1).max(200).optional().describe("text of 1 to 200 characters");

const cullBody = z.strictObject({ dryRun: z.boolean().optional().describe("true or false") });
const MARKS = {
  pin: z.strictObject({ pin: name, reason }),
  unpin: z.strictObject({ unpin: name }),
  acknowledge: z.strictObject({ acknowledge: name, reason }),
} as const;
type Mark = keyof typeof MARKS;
type MarkBody = { readonly [Key in Mark]: ArchiveName } & { readonly reason?: string };
const OTHER_BODIES =
  "or be {pin, reason?}, {unpin} or {acknowledge, reason?}, each with the name of a backup";

/** As it lies in the record of a run, from where it may be taken up. */
const requestSchema = z.discriminatedUnion("action", [
  z.object({ action: z.literal("cull"), dryRun: z.boolean(), after: name.optional() }),
  z.object({ action: z.enum(["pin", "unpin", "acknowledge"]), backup: name, reason }),
]);
type Request = z.output<typeof requestSchema>;

const NEWS = "dev.dormouse.backup.completed";
const TYPES = [NEWS, "dev.knative.sources.ping"];
const OURS = "dev.dormouse.";
const TROUBLE = /\.(failed|suspect|stale|rolledback)$/;
type Told = { readonly type: string; readonly subject?: string | undefined; readonly data?: unknown };
type Settings = Omit<CullRequest, "dryRun"> & {
  readonly adoptLimit: number;
  /** Of events, however many come. */
  readonly minIntervalMs: number;
};

/** Which database a run is about: all that have backups on the volume. */
export const ALL_DATABASES = "*";

/** Turns requests and events into culls of the volume and the bucket, and marks single backups. */
export function cullHandler(deps: CullPlacesDependencies, { minIntervalMs, ...settings }: Settings) {
  const { catalog, bucket } = deps;
  const bothPlaces = bucket === undefined ? catalog : catalogOfBothPlaces(catalog, bucket.mirror);
  return {
    kind: "cull" as const,
    database: ALL_DATABASES,
    parseBody: (body: unknown): Promise<Request> => parseBody(catalog, body),
    /**
     * Without a broker all that a backup says comes here. What starts no cull is taken, or it counts as undelivered; what
     * needs a person is said once more, in a log that outlives the pod of the backup.
     */
    async onEvent({ type, subject, data }: Told): Promise<boolean> {
      if (!type.startsWith(OURS) || TYPES.includes(type)) return false;
      if (TROUBLE.test(type)) deps.log.error("trouble told", { type, subject, told: data });
      return true;
    },
    parseEvent,
    async answeredBy(request: unknown, known: readonly Run[]): Promise<Run | undefined> {
      const asked = requestSchema.parse(request);
      if (asked.action !== "cull") return undefined;
      const recently = {
        find: (wanted: ArchiveName) => catalog.find(wanted),
        now: deps.now(),
        minIntervalMs,
      };
      const run = await recentCull(asked, known, recently);
      if (run !== undefined) deps.log.info("event answered by a cull of now", { run: run.id });
      return run;
    },
    work: (context: RunContext): Promise<unknown> => {
      const request = requestSchema.parse(context.run.request);
      return request.action === "cull"
        ? cullPlaces(deps, { ...settings, dryRun: request.dryRun }, context)
        : markBackup({ ...deps, catalog: bothPlaces, volume: catalog }, request, context);
    },
    verbsOf: (body: unknown): readonly [Verb] => [markOf(body) === undefined ? "cull" : "pin"],
  };
}

/** The event says that there is a new backup; what to keep is decided by what lies on the volume. */
function parseEvent({ type, subject, data }: Told): Request {
  if (!TYPES.includes(type)) {
    throw new DormouseError("event_unsupported", `events of type ${JSON.stringify(type)} start no cull`, {
      hint: `send ${TYPES.join(" or ")}, or filter in the Trigger`,
    });
  }
  if (type !== NEWS) return parseCull(data ?? {});
  const after = name.safeParse(subject);
  return { action: "cull", dryRun: false, ...(after.success ? { after: after.data } : {}) };
}

function markOf(body: unknown): Mark | undefined {
  const marks = Object.keys(MARKS) as Mark[];
  return typeof body === "object" && body !== null ? marks.find((mark) => mark in body) : undefined;
}

async function parseBody(volume: Pick<Catalog, "list">, body: unknown): Promise<Request> {
  const action = markOf(body);
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
  const { dryRun = false } = readBody(cullBody, body, OTHER_BODIES);
  return { action: "cull", dryRun };
}
