import type { ErrorCode } from "../../errors.ts";

/** `$1` in a hint is what the server named. */
export type Kind = { readonly code: ErrorCode; readonly pattern: RegExp; readonly hint: string };

/** In the words of Node and of libpq: a server that proves to be another one, or asks for a proof that it does not get. */
export const TLS_REFUSALS: readonly Kind[] = [
  {
    code: "connection_refused",
    pattern: /does not match (?:host name|certificate's altnames)|server certificate for .* does not match/,
    hint: "DATABASE_SERVICE_NAME must be a name that the server's certificate has; PGSSLMODE=verify-ca takes any name",
  },
  {
    code: "connection_refused",
    pattern: /certificate has expired|certificate is not yet valid/,
    hint: "have the server's certificate renewed, and look at the clock of the node",
  },
  {
    code: "connection_refused",
    pattern:
      /certificate verify failed|self-signed certificate|unable to (?:verify the first|get (?:local )?issuer) certificate|root certificate (?:file|store)/,
    hint: "PGSSLROOTCERT must name the file of the authority that signed the server's certificate",
  },
  {
    code: "connection_refused",
    pattern: /does not support SSL/,
    hint: "PGSSLMODE asks for TLS, and the server has none: set ssl = on there, or PGSSLMODE=prefer",
  },
  {
    code: "connection_refused",
    pattern: /no pg_hba\.conf entry [^]*(?:no encryption|SSL off)/,
    hint: "a line of the server's pg_hba.conf may ask for TLS: set PGSSLMODE=require or verify-full; else add a line that lets this role from this address into this database",
  },
  {
    code: "connection_refused",
    pattern: /(?:requires a valid client certificate|certificate authentication failed)/,
    hint: "name the role's client certificate and its key in PGSSLCERT and PGSSLKEY",
  },
  {
    code: "connection_refused",
    pattern:
      /could not load (?:private key|certificate) file|key values mismatch|private key file|certificate does not match private key/,
    hint: "PGSSLCERT and PGSSLKEY must name a certificate and its own key, in PEM and without a passphrase",
  },
];

/** A server that is there and lets this role not in: what to change is on the server. */
export const CONNECTION_REFUSALS: readonly Kind[] = [
  {
    code: "connection_refused",
    pattern: /no pg_hba\.conf entry|pg_hba\.conf rejects/,
    hint: "add a line to the server's pg_hba.conf that lets this role from this address into this database (with PGSSLMODE=require or more none of `hostnossl`); for the locks MAINTENANCE_DATABASE may name another database, the same for all functions",
  },
  {
    code: "connection_refused",
    pattern: /database "([^"]+)"[^]*CONNECT privilege/,
    hint: 'GRANT CONNECT ON DATABASE "$1" TO the role of POSTGRESQL_USER; for the locks MAINTENANCE_DATABASE may name another database, the same for all functions',
  },
  {
    code: "connection_refused",
    pattern: /role "([^"]+)" is not permitted to log in/,
    hint: 'ALTER ROLE "$1" LOGIN, or name another role in POSTGRESQL_USER',
  },
  {
    code: "connection_refused",
    pattern: /cannot connect to invalid database "([^"]+)"/,
    hint: 'a DROP DATABASE "$1" was interrupted, and nothing but another one is possible with it; a restore of its last backup then makes it anew',
  },
  {
    code: "connection_refused",
    pattern: /database "template0" is not currently accepting connections/,
    hint: "template0 takes no connections: name another database in MAINTENANCE_DATABASE, the same for all functions",
  },
  {
    code: "connection_refused",
    pattern: /database "([^"]+)" is not currently accepting connections/,
    hint: 'a restore closes a database for seconds: GET /runs of the restore function shows; else ALTER DATABASE "$1" ALLOW_CONNECTIONS true',
  },
  {
    code: "connection_refused",
    pattern: /conversion between UTF8 and (\w+) is not supported/,
    hint: "the server has no conversion from $1 to UTF-8, the encoding of Dormouse's sessions: move the database to one in UTF8 with pg_dump --encoding of a character set that both have",
  },
  {
    code: "connections_exhausted",
    pattern: /too many connections for role "([^"]+)"/,
    hint: 'ALTER ROLE "$1" CONNECTION LIMIT -1, or a number of at least RESTORE_JOBS + 4, or lower RESTORE_JOBS',
  },
  {
    code: "connections_exhausted",
    pattern: /too many connections for database "([^"]+)"/,
    hint: 'ALTER DATABASE "$1" CONNECTION LIMIT -1, or a larger number, or end sessions',
  },
  {
    code: "connections_exhausted",
    pattern: /@53300|too many clients|remaining connection slots/,
    hint: "raise max_connections of the server, end idle sessions, or lower RESTORE_JOBS",
  },
];
