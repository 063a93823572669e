import * as z from "zod";
import { refuseOthers, type DatabaseChoice } from "../../../shared/config/database-choice.ts";
import { readBody } from "../../../shared/http/read-body.ts";
import type { RestoreRequest } from "../restoring.ts";
import { databaseOf } from "../databases/which-database.ts";

const database = z.string().optional().describe("the name of a database of this installation");
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
export function rehearsalIn(data: unknown, choice: DatabaseChoice): RestoreRequest | undefined {
  const fields = fieldsOf(data);
  if (fields?.length === 0) return undefined;
  if (fields?.includes("rehearse") === true) {
    const { database } = readBody(each, data, 'or be {filename, into: "scratch"}');
    if (database !== undefined) refuseOthers(choice, database);
    return { ...LATEST_UNPROVEN, ...named(choice, database) };
  }
  const asked = readBody(latest, data, 'or be {rehearse: "each"}: an event starts no other restore');
  const { filename } = asked;
  return { ...REHEARSAL, ...named(choice, databaseOf(choice, asked)), filename };
}

const REHEARSAL = { kind: "restore", strategy: "rehearse", dryRun: false } as const;
export const LATEST_UNPROVEN = { ...REHEARSAL, filename: "latest", ifUnproven: true } as const;

function named(choice: DatabaseChoice, database: string | undefined) {
  return choice.only !== undefined || database === undefined ? {} : { database };
}

function fieldsOf(data: unknown): string[] | undefined {
  if (data === undefined || data === null) return [];
  return typeof data === "object" && !Array.isArray(data) ? Object.keys(data) : undefined;
}
