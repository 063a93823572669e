import * as z from "zod";
import { integer, variable } from "./config.ts";

const text = z.string().min(1);
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;

/** What all functions read: the volume, the retention that the old pod's template already set, and the server's port. */
export const volumeVariables = {
  BACKUP_DIR: variable(z.string().startsWith("/"), {
    description: "Folder of the backup volume. It must be there: it is never made.",
    allowed: "an absolute path",
  }),
  NUM_BACKUPS: variable(integer(1, 100_000).prefault("31"), {
    description: "How many of the newest backups of each database the cull function keeps.",
    allowed: "a whole number from 1 to 100000",
  }),
  PORT: variable(integer(0, 65_535).prefault("8080"), {
    description: "Port to listen on; Knative sets it. 0 finds a free one.",
    allowed: "a whole number from 0 to 65535",
  }),
  SHUTDOWN_GRACE_SECONDS: variable(integer(0, 3_600).prefault("20"), {
    description:
      "How long a run may go on after SIGTERM before it is interrupted; below the pod's own grace period.",
    allowed: "a whole number from 0 to 3600",
  }),
  RESTORE_DIR: variable(z.string().startsWith("/").optional(), {
    description: "Scratch folder of the restore function, for archives that cannot be read where they lie.",
    allowed: "an absolute path",
  }),
  K_SINK: variable(z.url({ protocol: /^https?$/ }).optional(), {
    description: "Where events go; a SinkBinding sets it. Unset: no events.",
    allowed: "an http or https URL",
  }),
  K_CE_OVERRIDES: variable(text.optional(), {
    description: "Extensions for those events; a SinkBinding sets it.",
    allowed: "JSON as Knative writes it",
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
  POSTGRESQL_PASSWORD: variable(text.regex(/^[^\r\n\0]*$/), {
    description: "Its password.",
    allowed: "text without line breaks",
    isSecret: true,
  }),
  POSTGRESQL_DATABASE: variable(text.max(63), {
    description: "Database to back up.",
    allowed: "the name of a database, at most 63 bytes",
  }),
  PGPORT: variable(integer(1, 65_535).prefault("5432"), {
    description: "Port of the PostgreSQL server.",
    allowed: "a whole number from 1 to 65535",
  }),
  PGSSLMODE: variable(z.enum(SSL_MODES).prefault("prefer"), {
    description: "As libpq reads it. Only `verify-full` proves who the server is.",
    allowed: `one of ${SSL_MODES.join(", ")}`,
  }),
  PGSSLROOTCERT: variable(text.optional(), {
    description: "File with the certificates that sign the server's.",
    allowed: "a path, or `system`",
  }),
  PGSSLCERT: variable(text.optional(), { description: "Client certificate.", allowed: "a path" }),
  PGSSLKEY: variable(text.optional(), { description: "Key of the client certificate.", allowed: "a path" }),
  MAINTENANCE_DATABASE: variable(text.prefault("postgres"), {
    description: "Database on which locks are taken: the same for all functions.",
    allowed: "the name of a database that the role may connect to",
  }),
  CONNECT_TIMEOUT_SECONDS: variable(integer(2, 300).prefault("10"), {
    description: "How long connecting may take.",
    allowed: "a whole number from 2 to 300",
  }),
  PG_BIN_DIR: variable(z.string().startsWith("/").optional(), {
    description:
      "Folder of pg_dump and pg_restore. Unset: those of the server's major version are looked for.",
    allowed: "an absolute path",
  }),
};
