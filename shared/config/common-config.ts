import * as z from "zod/mini";
import { integer, variable } from "./config.ts";
import { knativeVariables } from "./knative-config.ts";
import { proxyVariables } from "./proxy-config.ts";

const text = z.string().check(z.minLength(1));
/** PostgreSQL cuts longer ones off. */
export const databaseName = text.check(z.maxLength(63));
const path = z.string().check(z.startsWith("/"));
const pem = z.string().check(z.includes("-----BEGIN CERTIFICATE-----"));
const overrides = z.pipe(
  z.pipe(
    z.string().check(z.refine(isJson)),
    z.transform((json: string): unknown => JSON.parse(json)),
  ),
  z.object({
    extensions: z.nullish(
      z.record(z.string().check(z.regex(/^[a-z\d]+$/i)), z.union([z.string(), z.number(), z.boolean()])),
    ),
  }),
);
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

/** What all functions read: the volume, the retention that the old pod's template already set, and how they run. */
export const volumeVariables = {
  ...knativeVariables,
  BACKUP_DIR: variable(path, {
    description: "Folder of the backup volume. It must be there: it is never made.",
    allowed: "an absolute path",
  }),
  VOLUME_TIMEOUT_SECONDS: variable(z.prefault(integer(1, 3_600), "60"), {
    description: "How long the volume may leave a call unanswered; ten times that for what must be on disk.",
    allowed: "a whole number from 1 to 3600",
  }),
  NUM_BACKUPS: variable(z.prefault(integer(1, 100_000), "31"), {
    description: "How many of the newest backups of each database the cull function keeps.",
    allowed: "a whole number from 1 to 100000",
  }),
  PORT: variable(z.prefault(integer(0, 65_535), "8080"), {
    description: "Port to listen on; Knative sets it. 0 finds a free one.",
    allowed: "a whole number from 0 to 65535",
  }),
  SHUTDOWN_GRACE_SECONDS: variable(z.prefault(integer(0, 3_600), "20"), {
    description:
      "How long a run may go on after SIGTERM before it is interrupted; below the pod's own grace period.",
    allowed: "a whole number from 0 to 3600",
  }),
  RESTORE_DIR: variable(z.optional(path), {
    description:
      "Scratch folder of the restore function, for copies of archives: encrypted, in the bucket alone, or checked by MANIFEST_PUBLIC_KEY. Needs room for the largest.",
    allowed: "an absolute path",
  }),
  K_SINK: variable(z.optional(z.url({ protocol: /^https?$/ })), {
    description: "Where events go; a SinkBinding sets it. Unset: no events.",
    allowed: "an http or https URL",
  }),
  K_CA_CERTS: variable(z.optional(pem), {
    description:
      "The authorities that sign the sink's certificate, beside the well-known ones; a SinkBinding sets it where the sink has some.",
    allowed: "certificates in PEM",
  }),
  K_CE_OVERRIDES: variable(z.optional(overrides), {
    description: "Extensions for those events; a SinkBinding sets it.",
    allowed: 'JSON like `{"extensions":{"team":"hets"}}`, with names of letters and digits',
  }),
  SINK_TOKEN_FILE: variable(z.prefault(path, "/oidc/token"), {
    description:
      "Token that is sent with those events, if it is there; a SinkBinding mounts it where the cluster has `authentication-oidc`.",
    allowed: "an absolute path",
  }),
  K_SINK_AUDIENCE: variable(z.optional(text), {
    description:
      "Whom that token is for. With it no event is sent without one. A SinkBinding does not set it.",
    allowed: "the audience of the sink",
  }),
  ...proxyVariables,
};

/** What bounds the work that events cause, however many come: they need no token. */
export const intervalVariables = {
  MIN_INTERVAL_MINUTES: variable(z.prefault(integer(0, 1_440), "10"), {
    description:
      "An event is answered by a verified backup that is younger, and none is taken; at `cull` by a cull that began later, unless the event names a backup that is newer than that. A POST is not. 0: each event starts a run.",
    allowed: "a whole number from 0 to 1440",
  }),
};

/** How the database is reached: the names of the old pod, and libpq's for the rest. */
export const databaseVariables = {
  DATABASE_SERVICE_NAME: variable(text, {
    description: "Host of the PostgreSQL server: usually the name of its Service.",
    allowed: "a host name, an address or the folder of a socket",
  }),
  POSTGRESQL_USER: variable(text, {
    description: "Role that backs up. `pg_read_all_data` is enough for most databases.",
    allowed: "the name of a role",
  }),
  POSTGRESQL_PASSWORD: variable(text.check(z.regex(/^[^\r\n\0]*$/)), {
    description: "Its password.",
    allowed: "text without line breaks",
    isSecret: true,
  }),
  POSTGRESQL_DATABASE: variable(databaseName, {
    description: "Database to back up.",
    allowed: "the name of a database, at most 63 bytes",
  }),
  PGPORT: variable(z.prefault(integer(1, 65_535), "5432"), {
    description: "Port of the PostgreSQL server.",
    allowed: "a whole number from 1 to 65535",
  }),
  PGSSLMODE: variable(z.prefault(z.enum(SSL_MODES), "prefer"), {
    description: "As libpq reads it. Only `verify-full` proves who the server is.",
    allowed: `one of ${SSL_MODES.join(", ")}`,
  }),
  PGSSLROOTCERT: variable(z.optional(text), {
    description: "File with the certificates that sign the server's.",
    allowed: "a path, or `system`",
    isFile: true,
  }),
  PGSSLCERT: variable(z.optional(text), {
    description: "Client certificate.",
    allowed: "a path",
    isFile: true,
  }),
  PGSSLKEY: variable(z.optional(text), {
    description: "Key of the client certificate.",
    allowed: "a path",
    isFile: true,
  }),
  MAINTENANCE_DATABASE: variable(z.prefault(text, "postgres"), {
    description:
      "Database on which locks are taken: the same for all functions, and not the one that is restored.",
    allowed: "the name of a database that the role may connect to",
  }),
  CONNECT_TIMEOUT_SECONDS: variable(z.prefault(integer(2, 300), "10"), {
    description: "How long connecting may take.",
    allowed: "a whole number from 2 to 300",
  }),
  PG_BIN_DIR: variable(z.optional(path), {
    description:
      "Folder of pg_dump and pg_restore. Unset: those of the server's major version are looked for.",
    allowed: "an absolute path",
  }),
};

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
