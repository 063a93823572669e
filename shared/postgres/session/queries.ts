import type pg from "pg";

/** The column `name` of what a query answers. */
export async function queryNames(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(sql, [...values]);
  return rows.map(({ name }) => name);
}

/** Does `work` in a transaction, of which nothing stays where it fails. */
export async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
