import * as z from "zod";
import { DormouseError } from "../../../shared/errors.ts";
import { readBody } from "../../../shared/http/read-body.ts";
import type { RestoreRequest } from "../restoring.ts";

const database = z.string().optional().describe("the database of this installation");
const latest = z.strictObject({
  filename: z.string().min(1).max(300).describe("the name of a backup, or latest"),
  into: z.literal("scratch").describe("scratch"),
  database,
});
const each = z.strictObject({ rehearse: z.literal("each").describe("each"), database });

/**
 * The rehearsal that the data of a ping ask for; undefined where they ask for nothing. Nothing else of a restore is an
 * event's to ask for: who may send events is not who may restore.
 */
export function rehearsalIn(data: unknown, own: string): RestoreRequest | undefined {
  const fields = fieldsOf(data);
  if (fields?.length === 0) return undefined;
  const asked =
    fields?.includes("rehearse") === true
      ? readBody(each, data, 'or be {filename, into: "scratch"}')
      : readBody(latest, data, 'or be {rehearse: "each"}: an event starts no other restore');
  refuseOthers(asked.database, own);
  const rehearsal = { kind: "restore", strategy: "rehearse", dryRun: false } as const;
  return "rehearse" in asked
    ? { ...rehearsal, filename: "latest", ifUnproven: true }
    : { ...rehearsal, filename: asked.filename };
}

function fieldsOf(data: unknown): string[] | undefined {
  if (data === undefined || data === null) return [];
  return typeof data === "object" && !Array.isArray(data) ? Object.keys(data) : undefined;
}

function refuseOthers(asked: string | undefined, own: string): void {
  if (asked === undefined || asked === own) return;
  throw new DormouseError(
    "request_invalid",
    `the database ${JSON.stringify(asked)} is not this installation's`,
    { hint: `leave database out, or say ${JSON.stringify(own)}` },
  );
}
