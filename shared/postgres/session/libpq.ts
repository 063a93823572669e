import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import { DormouseError } from "../../errors.ts";
import { PROGRAM, readPem, type ConnectionSettings } from "./connection.ts";

/** How a client tool reaches the server without a secret among its arguments. */
export type Libpq = {
  /** The whole environment of a child: nothing of ours is inherited, for PG* variables redirect connections. */
  readonly environment: Readonly<Record<string, string>>;
  /** For `-d`. A bare name would be read as an option or as a connection string of its own. */
  conninfo(database: string): string;
  [Symbol.asyncDispose](): Promise<void>;
};

/** libpq has no variables for keepalives. Together they notice a dead server within a minute. */
const KEEPALIVES =
  "keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=60000";

/** Copies of our own: libpq ignores a passfile, and refuses a key, that a group may read, as every mounted secret on OpenShift. */
export async function openLibpq(settings: ConnectionSettings): Promise<Libpq> {
  const { host, port, user, password, sslMode, sslRootCert } = settings;
  const folder = await mkdtemp(join(tmpdir(), "dormouse-libpq-"));
  const passfile = join(folder, "passfile");
  await writeFile(passfile, `*:*:*:*:${passfileField(password)}\n`, { mode: 0o600, flag: "wx" });
  const copies = await copyFiles(folder, settings);

  const environment = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: folder,
    LC_ALL: "C",
    TZ: "UTC",
    PGHOST: host,
    PGPORT: `${port}`,
    PGUSER: user,
    PGPASSFILE: passfile,
    PGSSLMODE: sslMode,
    PGAPPNAME: PROGRAM,
    PGSYSCONFDIR: folder,
    ...(sslRootCert === undefined ? {} : { PGSSLROOTCERT: sslRootCert }),
    ...copies,
  };
  const connectTimeout = `connect_timeout=${Math.max(2, Math.ceil(settings.connectTimeoutMs / 1000))}`;
  return {
    environment,
    conninfo: (database) => `dbname=${conninfoValue(database)} ${connectTimeout} ${KEEPALIVES}`,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Certificate and key together: a Secret that is renewed meanwhile changes both. Before 16 libpq has no word for the machine's authorities. */
async function copyFiles(
  folder: string,
  { sslRootCert, sslCert, sslKey }: ConnectionSettings,
): Promise<Readonly<Record<string, string>>> {
  const contents = {
    ...(sslRootCert === "system" ? { PGSSLROOTCERT: getCACertificates("default").join("\n") } : {}),
    ...(sslCert === undefined ? {} : { PGSSLCERT: await readPem(sslCert) }),
    ...(sslKey === undefined ? {} : { PGSSLKEY: await readPem(sslKey) }),
  };
  const written = Object.entries(contents).map(async ([name, content]) => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600, flag: "wx" });
    return [name, path] as const;
  });
  return Object.fromEntries(await Promise.all(written));
}

/** https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE */
function conninfoValue(value: string): string {
  return `'${value.replace(/[\\']/g, "\\$&")}'`;
}

/** https://www.postgresql.org/docs/current/libpq-pgpass.html */
function passfileField(password: string): string {
  if (/[\r\n\0]/.test(password)) {
    throw new DormouseError(
      "configuration_invalid",
      "the password holds a line break or NUL, which libpq cannot read",
      {
        hint: "give POSTGRESQL_PASSWORD without line breaks; POSTGRESQL_PASSWORD_FILE may end in one",
      },
    );
  }
  return password.replace(/[\\:]/g, "\\$&");
}
