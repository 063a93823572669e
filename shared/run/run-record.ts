import * as z from "zod";
import { DormouseError, type ErrorCode } from "../errors.ts";
import { RUN_STATES, type Run } from "./run.ts";
import { createHmac, scrypt, timingSafeEqual } from "node:crypto";

const instant = z.iso.datetime().transform((text) => new Date(text));
const fields = z.record(z.string(), z.unknown());

const runSchema = z.object({
  id: z.string().regex(/^[a-z]+-[0-9a-f]{24}$/),
  kind: z.enum(["backup", "cull", "restore"]),
  state: z.enum(RUN_STATES),
  database: z.string(),
  trigger: z.object({
    source: z.string(),
    id: z.string(),
    at: instant.optional(),
    data: z.string().optional(),
  }),
  request: fields,
  caller: z.string().optional(),
  traceparent: z.string().optional(),
  uses: z.array(z.string()).optional(),
  journal: z.unknown().optional(),
  kept: z.object({ database: z.string(), until: instant }).optional(),
  attempt: z.int().positive(),
  acceptedAt: instant,
  updatedAt: instant,
  finishedAt: instant.optional(),
  steps: z.array(z.object({ step: z.string(), at: instant, detail: fields.optional() })),
  result: z.unknown().optional(),
  problem: z
    .object({
      code: z.string().transform((code) => code as ErrorCode),
      message: z.string(),
      hint: z.string().optional(),
    })
    .optional(),
  untold: z.array(z.object({ type: z.string(), subject: z.string(), data: fields })).optional(),
});

/** Throws `catalog_unreadable` for what is no record of ours: nothing but a person or a broken disk makes such. */
export function parseRun(id: string, json: string): Run {
  try {
    const run = runSchema.parse(JSON.parse(json)) as Run;
    if (run.id !== id || !id.startsWith(`${run.kind}-`)) throw new Error(`it is of ${run.kind} ${run.id}`);
    return run;
  } catch (error) {
    throw new DormouseError("catalog_unreadable", `record of run ${id} cannot be read`, {
      hint: "move the file away from .dormouse/runs; it is not needed for any restore",
      cause: error,
    });
  }
}

/** Proves that a function wrote a record itself: the volume is not proof, since others may write to it. */
export type RunSeal = {
  readonly kind: Run["kind"];
  /** Whether records of that database are this function's to write. */
  readonly covers: (database: string) => boolean;
  /** The seal of the text of a record of `database`, which names run, kind, database and attempt. */
  of(text: string, database: string): Promise<string>;
};

/**
 * HMAC-SHA256 with a key that scrypt derives from a secret which does not lie on the volume: slow on purpose, so that a reader that
 * reads records cannot try out passwords quickly. Kind and database are its salt: a record seals nothing of another function.
 */
export function runSeal(kind: Run["kind"], covers: RunSeal["covers"], secret: string): RunSeal {
  const keys = new Map<string, Promise<Buffer>>();
  return {
    kind,
    covers,
    async of(text, database) {
      const key = keys.get(database) ?? derive(secret, `dormouse run record\0${kind}\0${database}`);
      keys.set(database, key);
      return createHmac("sha256", await key)
        .update(text)
        .digest("base64");
    },
  };
}

function derive(secret: string, salt: string): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(secret, salt, 32, (error, key) => (error === null ? resolve(key) : reject(error))),
  );
}

/** A record as it is written: where there is a seal, it stands behind all that it covers. */
export async function sealedText(run: Run, seal: RunSeal | undefined): Promise<string> {
  return `${JSON.stringify(seal === undefined ? run : await withSeal(run, seal), null, 2)}\n`;
}

async function withSeal(run: Run, seal: RunSeal): Promise<object> {
  const text = JSON.stringify(run);
  return { ...(JSON.parse(text) as object), seal: await seal.of(text, run.database) };
}

type SealedRecord = { readonly seal?: unknown; readonly database: string };

/** Whether the text of a record bears the seal of exactly what it says. */
export async function isSealed(text: string, seal: RunSeal): Promise<boolean> {
  const { seal: found, ...record } = JSON.parse(text) as SealedRecord;
  const expected = Buffer.from(await seal.of(JSON.stringify(record), record.database));
  const given = Buffer.from(typeof found === "string" ? found : "");
  return given.length === expected.length && timingSafeEqual(given, expected);
}
