import * as z from "zod";
import { DormouseError, type ErrorCode } from "../errors.ts";
import { RUN_STATES, type Run } from "./run.ts";

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
