import * as z from "zod/mini";
import { variable } from "./config.ts";
import { splitPatterns } from "./database-choice.ts";
import { path, text, wholeNumber } from "./rules.ts";

/** PostgreSQL cuts longer ones off. */
const databaseName = text.check(z.refine((name) => Buffer.byteLength(name) <= 63));
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

const databasePatterns = z.pipe(
  z.string().check(z.refine((list) => splitPatterns(list) !== undefined)),
  z.transform((list: string) => splitPatterns(list) ?? []),
);

/** Which databases: of the two one is set, for all functions the same. */
export function choiceVariables(databaseDescription: string, isNeeded: boolean) {
  return {
    POSTGRESQL_DATABASE: variable(z.optional(databaseName), {
      description: databaseDescription,
      allowed: "the name of a database, at most 63 bytes",
      instead: { name: "POSTGRESQL_DATABASES", isNeeded },
    }),
    POSTGRESQL_DATABASES: variable(z.optional(databasePatterns), {
      description:
        "Databases of the server, instead of `POSTGRESQL_DATABASE`: `*` for all, `app_*` and `app?` as in a shell, `!scratch` to leave one out. Set it for all three functions: [tasks.md](tasks.md#back-up-every-database).",
      allowed: "names and patterns separated by commas, or a JSON array of them where a name is odd",
    }),
  };
}

/** How the database is reached: the names of the old pod, and libpq's for the rest. */
export const databaseVariables = {
  DATABASE_SERVICE_NAME: variable(text, {
    description: "Host of the PostgreSQL server: usually the name of its Service.",
    allowed: "a host name, an address or the folder of a socket",
  }),
  POSTGRESQL_USER: variable(text, {
    description:
      "Role that backs up, or that restores. `pg_read_all_data` is enough to back up most databases.",
    allowed: "the name of a role",
  }),
  POSTGRESQL_PASSWORD: variable(text.check(z.regex(/^[^\r\n\0]*$/)), {
    description: "Its password.",
    allowed: "text without line breaks",
    isSecret: true,
  }),
  ...choiceVariables("Database to back up and restore. Or set `POSTGRESQL_DATABASES`.", true),
  PGPORT: wholeNumber(
    { from: 1, to: 65_535, unset: 5_432 },
    "Port of the PostgreSQL server. Set it where that is not 5432.",
  ),
  PGSSLMODE: variable(z.prefault(z.enum(SSL_MODES), "prefer"), {
    description:
      "As libpq reads it. Only `verify-full` authenticates the server: set it where the network is not yours alone.",
    allowed: `one of ${SSL_MODES.join(", ")}`,
  }),
  PGSSLROOTCERT: variable(z.optional(text), {
    description: "File with the certificates that sign the server's. `verify-ca` and `verify-full` need it.",
    allowed: "a path, or `system`",
    isFile: true,
  }),
  PGSSLCERT: variable(z.optional(text), {
    description: "Client certificate, where the server asks for one.",
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
      "Database on which locks are taken: the same for all functions, and not the one that is restored. Set it where there is no `postgres`, or that is what you restore.",
    allowed: "the name of a database that the role may connect to",
  }),
  PG_BIN_DIR: variable(z.optional(path), {
    description:
      "Folder of pg_dump and pg_restore. Set it outside of the image, where they lie in no usual place. Unset: those of the server's major version are looked for.",
    allowed: "an absolute path",
  }),
};
