import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type pg from "pg";
import { analyzeLacking } from "../../../shared/postgres/load/analyze.ts";
import { sharedServer } from "../../support/postgres.ts";

describe("ANALYZE by several sessions", () => {
  it("leaves no relation without statistics, and begins with the largest", async () => {
    const server = await sharedServer();
    const database = await server.createDatabase();
    try {
      await server.query(
        database,
        `CREATE SCHEMA "odd ""schema";
         CREATE TABLE "odd ""schema"."odd table" AS SELECT n FROM generate_series(1, 100) n;
         CREATE TABLE large AS SELECT n, repeat('x', 500) AS filler FROM generate_series(1, 20000) n;
         CREATE TABLE parts (n int) PARTITION BY RANGE (n);
         CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (50);
         CREATE TABLE high PARTITION OF parts FOR VALUES FROM (50) TO (200);
         INSERT INTO parts SELECT generate_series(1, 100);
         CREATE MATERIALIZED VIEW sums AS SELECT sum(n) FROM parts;`,
      );
      const asked: string[] = [];
      const session = async <Result>(work: (client: pg.Client) => Promise<Result>) => {
        const client = await server.connect(database);
        const query = client.query.bind(client) as (sql: string) => Promise<pg.QueryResult>;
        client.query = ((sql: string) => {
          asked.push(sql);
          return query(sql);
        }) as typeof client.query;
        try {
          return await work(client);
        } finally {
          await client.end();
        }
      };

      await analyzeLacking(session);

      const { rows } = await server.query(
        database,
        `SELECT DISTINCT tablename FROM pg_stats WHERE schemaname IN ('public', 'odd "schema') ORDER BY 1`,
      );
      const names = (rows as { tablename: string }[]).map(({ tablename }) => tablename);
      assert.deepEqual(names, ["high", "large", "low", "odd table", "parts", "sums"]);
      const large = await server.query(database, "SELECT 'large'::regclass::oid::text AS oid");
      const [{ oid }] = large.rows as [{ oid: string }];
      assert.match(
        asked.find((sql) => sql.includes("ANALYZE")) ?? "",
        new RegExp(`'${oid}'::pg_catalog\\.regclass`),
      );
    } finally {
      await server.dropDatabase(database);
    }
  });
});
