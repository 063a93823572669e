import type pg from "pg";
import { DormouseError } from "../../errors.ts";

/** The server's time. As a number: how a date is written, and so what a client reads in it, is a setting of the role. */
export async function serverNow(client: pg.Client): Promise<Date> {
  const sql = "SELECT trunc(extract(epoch FROM now()) * 1000)::bigint AS ms";
  const { rows } = await client.query<{ ms: string }>(sql);
  const [row] = rows;
  if (row === undefined) throw new DormouseError("query_failed", "the server does not tell the time");
  return new Date(Number(row.ms));
}
