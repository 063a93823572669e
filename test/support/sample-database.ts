import type pg from "pg";
import type { TestServer } from "./postgres.ts";

/**
 * A believable database of an equipment hiring programme: several schemas, foreign keys, JSON, bytea, a partitioned
 * table, a large object, views, functions whose bodies look like data, and identifiers that need quoting. The same at
 * each making; `scale` multiplies the rows.
 */
export async function createSample(client: pg.Client, scale = 1): Promise<void> {
  await client.query(SCHEMA);
  await client.query(rows(scale));
}

const SCHEMA = String.raw`
CREATE SCHEMA hire; CREATE SCHEMA audit; CREATE SCHEMA "Odd Names";
CREATE TYPE hire.status AS ENUM ('pending', 'active', 'archived');
CREATE DOMAIN hire.postal_code AS text CHECK (VALUE ~ '^[A-Z]\d[A-Z] \d[A-Z]\d$');
CREATE TABLE hire.owner (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL, postal_code hire.postal_code, status hire.status DEFAULT 'pending',
  contact jsonb, tags text[], registered_at timestamptz NOT NULL,
  name_length int GENERATED ALWAYS AS (length(name)) STORED
);
COMMENT ON TABLE hire.owner IS 'Who hires out equipment; one row each';
CREATE TABLE hire.equipment (
  id bigserial PRIMARY KEY, owner_id int NOT NULL REFERENCES hire.owner,
  code text UNIQUE, size numeric(9, 2), seniority double precision, photo bytea, notes text
);
CREATE INDEX ON hire.equipment (owner_id) WHERE seniority > 1;
CREATE TABLE audit.entry (at timestamptz NOT NULL, actor text, change json) PARTITION BY RANGE (at);
CREATE TABLE audit.entry_2025 PARTITION OF audit.entry FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE audit.entry_2026 PARTITION OF audit.entry FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE "Odd Names"."a ""quoted"" name" ("Column One" int, "select" text);
CREATE TABLE "Odd Names"."--file=x" (a int);
CREATE TABLE "Odd Names"."two
lines" (a text);
CREATE TABLE "Odd Names"."Größe" (größe text);
CREATE TABLE "Odd Names".no_columns ();
CREATE TABLE "Odd Names".empty (a int PRIMARY KEY);
CREATE VIEW hire.active_owner AS SELECT id, name FROM hire.owner WHERE status = 'active';
CREATE MATERIALIZED VIEW hire.by_owner AS SELECT owner_id, count(*) FROM hire.equipment GROUP BY owner_id;
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  -- What follows is text of a function, no data:
  PERFORM 'COPY hire.owner (id) FROM stdin;
1
\.
';
  RETURN NEW;
END $body$;
CREATE TRIGGER note BEFORE UPDATE ON hire.owner FOR EACH ROW EXECUTE FUNCTION audit.note();
`;

const rows = (scale: number) => String.raw`
INSERT INTO hire.owner (name, postal_code, status, contact, tags, registered_at)
SELECT 'Owner ' || n, CASE WHEN n % 7 > 0 THEN 'V' || n % 10 || 'A 1B' || n % 10 END,
  (enum_range(NULL::hire.status))[1 + n % 3], jsonb_build_object('phone', '250-' || n, 'mail', md5(n::text)),
  ARRAY['tag' || n % 5, 'with,comma', NULL], '2020-01-01Z'::timestamptz + n * interval '7 hours'
FROM generate_series(1, ${200 * scale}) n;
INSERT INTO hire.equipment (owner_id, code, size, seniority, photo, notes)
SELECT 1 + n % ${200 * scale}, 'EQ-' || n, n * 1.37, sqrt(n), decode(md5(n::text), 'hex'),
  repeat('Excavator with bucket, inspected. ', n % 5) || md5((n * 31)::text)
FROM generate_series(1, ${2_000 * scale}) n;
INSERT INTO audit.entry SELECT '2025-06-01Z'::timestamptz + n % 3000 * interval '3 hours', 'user' || n % 20,
  json_build_object('n', n, 'text', md5(n::text)) FROM generate_series(1, ${3_000 * scale}) n;
INSERT INTO "Odd Names"."a ""quoted"" name" VALUES (1, E'tab\tnewline\nbackslash\\'), (2, '\.'), (3, NULL), (4, '');
INSERT INTO "Odd Names"."--file=x" VALUES (1), (2);
INSERT INTO "Odd Names"."two
lines" VALUES ('\.'), ('COPY x FROM stdin;');
INSERT INTO "Odd Names"."Größe" VALUES ('groß');
INSERT INTO "Odd Names".no_columns DEFAULT VALUES;
INSERT INTO "Odd Names".no_columns DEFAULT VALUES;
SELECT lo_from_bytea(20001, convert_to(repeat('large object ', 1000), 'UTF8'));
REFRESH MATERIALIZED VIEW hire.by_owner;
`;

/** What a restore must bring back: rows and a hash of the content per table, sequences and large objects. */
export async function fingerprint(client: pg.Client): Promise<Record<string, string>> {
  type Table = { name: string; columns: string };
  const tables = await client.query<Table>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name,
      coalesce(string_agg(format('coalesce(quote_literal(%I::text), ''NULL'')', coalesce(a.attname, '')), ', '
        ORDER BY a.attname) FILTER (WHERE a.attname IS NOT NULL), '''''') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
    GROUP BY 1 ORDER BY 1`);
  const found: Record<string, string> = {};
  for (const { name, columns } of tables.rows) {
    const { rows: hashes } = await client.query<{ hash: string }>(
      `SELECT count(*) || ' rows ' || md5(coalesce(string_agg(line, E'\n' ORDER BY line COLLATE "C"), '')) AS hash
       FROM (SELECT concat_ws(',', ${columns}) AS line FROM ONLY ${name}) AS lines`,
    );
    found[name] = hashes[0]?.hash ?? "";
  }
  const others = await client.query<{ name: string; value: string }>(`
    SELECT format('sequence %I.%I', schemaname, sequencename) AS name, coalesce(last_value::text, 'unset') AS value
    FROM pg_sequences
    UNION ALL SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata`);
  for (const { name, value } of others.rows) found[name] = value;
  return found;
}

/** The fingerprint of a database, in a session of its own. */
export async function fingerprintOf(
  server: Pick<TestServer, "connect">,
  database: string,
): Promise<Record<string, string>> {
  const client = await server.connect(database);
  try {
    return await fingerprint(client);
  } finally {
    await client.end();
  }
}
