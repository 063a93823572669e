import assert from "node:assert/strict";
import { chmod, chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { DormouseError } from "../../../shared/errors.ts";
import { findClientTools } from "../../../shared/postgres/client-tools.ts";
import { startDump } from "../../../shared/postgres/pg-dump.ts";
import { connectionSettings } from "../../../shared/postgres/session/connection-settings.ts";
import { connect, type ConnectionSettings } from "../../../shared/postgres/session/connection.ts";
import { openLibpq } from "../../../shared/postgres/session/libpq.ts";
import { certified } from "../../support/certificate.ts";
import { installation } from "../../support/installation.ts";
import { anInspection, collect, dumpOptions, settingsOf } from "../../support/postgres-adapter.ts";
import { startPostgres, type OwnServer } from "../../support/postgres.ts";
import { temporaryFolder, type Removed } from "../../support/volume.ts";

const never = new AbortController().signal;
type Path = (name: string) => string;
type Row = readonly [what: string, settings: (at: Path) => Partial<ConnectionSettings>, hint?: RegExp];

const VERIFIED = (at: Path) => ({ sslMode: "verify-full", sslRootCert: at("authority.pem") }) as const;
const OTHER_NAME = "::ffff:127.0.0.1";
const ROWS: readonly Row[] = [
  ["without a look at the certificate", () => ({ sslMode: "require" })],
  ["with its authority", VERIFIED],
  ["with another authority", (at) => ({ ...VERIFIED(at), sslRootCert: at("ca.pem") }), /PGSSLROOTCERT/],
  ["with the machine's authorities", (at) => ({ ...VERIFIED(at), sslRootCert: "system" }), /PGSSLROOTCERT/],
  ["by another name", (at) => ({ ...VERIFIED(at), host: OTHER_NAME }), /DATABASE_SERVICE_NAME/],
  [
    "by another name where none counts",
    (at) => ({ ...VERIFIED(at), sslMode: "verify-ca", host: OTHER_NAME }),
  ],
  [
    "with a key that others may read, as Secrets are mounted",
    (at) => ({ sslMode: "require", sslCert: at("client.pem"), sslKey: at("client.key") }),
  ],
  [
    "with the key of another certificate",
    (at) => ({ sslMode: "require", sslCert: at("client.pem"), sslKey: at("key.pem") }),
    /PGSSLCERT and PGSSLKEY/,
  ],
];

describe("TLS to the server, for sessions of our own and for pg_dump alike", () => {
  let server: OwnServer;
  let folder: Removed;
  const at: Path = (name) => join(folder.path, name);
  before(async () => {
    [server, folder] = await Promise.all([startPostgres(), temporaryFolder()]);
    await certified(folder.path);
    for (const [from, to] of [
      ["ca.pem", "authority.pem"],
      ["key.pem", "client.key"],
      ["cert.pem", "client.pem"],
    ] as const)
      await writeFile(at(to), await readFile(at(from)));
    await haveTls(server, folder.path);
    await certified(folder.path);
    await chmod(at("client.key"), 0o644);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  async function tried(changes: Partial<ConnectionSettings>): Promise<void> {
    const settings = settingsOf({ ...server, host: "localhost" }, changes);
    await using libpq = await openLibpq(settings);
    const tools = await findClientTools(server.major, server.binDir, "");
    const request = { database: "postgres", inspection: anInspection, leaveOut: [] };
    const [one, other] = await Promise.allSettled([
      connect(settings, "postgres", never).then((client) => client.end()),
      collect(startDump({ tools, libpq, options: dumpOptions(server), request }, never).archive),
    ]);
    const reasons = [one, other].flatMap((each) =>
      each.status === "rejected" ? [each.reason as unknown] : [],
    );
    assert.notEqual(reasons.length, 1, String(reasons));
    if (reasons.length > 0) throw new AggregateError(reasons);
  }

  for (const [what, choose, hint] of ROWS)
    it(`is ${hint === undefined ? "there" : "refused"} ${what}`, async () => {
      const settings = choose(at);

      if (hint === undefined) return tried(settings);
      await assert.rejects(tried(settings), ({ errors }: AggregateError) => {
        for (const error of errors as DormouseError[]) {
          assert.match(error.hint ?? "", hint, error.message);
          assert.equal(error.code, "connection_refused");
        }
        return true;
      });
    });

  it("is named where pg_hba.conf asks for it, and where the server has none", async () => {
    const { rows: files } = await server.query("postgres", "SHOW hba_file");
    const hba = (await installation()).root + (files as [{ hba_file: string }])[0].hba_file;
    const lines = await readFile(hba, "utf8");
    const allowOnly = async (kind: string) => {
      await writeFile(hba, lines.replace(/^host +all/gm, `${kind} all`));
      const client = await connect(settingsOf(server), "postgres", never);
      await client.query("SELECT pg_reload_conf()");
      await client.end();
    };
    const isOfMode = ({ errors }: AggregateError) =>
      (errors as DormouseError[]).every(({ hint = "" }) => hint.includes("PGSSLMODE"));

    for (const [kind, refused] of [
      ["hostssl", "disable"],
      ["hostnossl", "require"],
    ] as const) {
      await allowOnly(kind);
      for (const sslMode of ["prefer", "allow"] as const) await tried({ sslMode });
      await assert.rejects(tried({ sslMode: refused }), isOfMode);
    }
    await allowOnly("host");
    const client = await connect(settingsOf(server), "postgres", never);
    await client.query("ALTER SYSTEM SET ssl = off");
    await client.query("SELECT pg_reload_conf()");
    await client.end();
    await assert.rejects(tried({ sslMode: "require" }), isOfMode);
  });

  it("is a mistake of the configuration where a part of it is not set", () => {
    const given = {
      DATABASE_SERVICE_NAME: "postgresql",
      PGPORT: 5432,
      POSTGRESQL_USER: "hets",
      POSTGRESQL_PASSWORD: "hets",
      PGSSLMODE: "require",
      MAINTENANCE_DATABASE: "postgres",
    } as const;

    for (const [wrong, what] of [
      [{ PGSSLMODE: "verify-full" }, /PGSSLMODE=verify-full needs PGSSLROOTCERT/],
      [{ PGSSLMODE: "verify-ca" }, /PGSSLMODE=verify-ca needs PGSSLROOTCERT/],
      [{ PGSSLCERT: "/tls.crt" }, /PGSSLCERT needs PGSSLKEY/],
      [{ PGSSLKEY: "/tls.key" }, /PGSSLKEY needs PGSSLCERT/],
    ] as const)
      assert.throws(() => connectionSettings({ ...given, ...wrong }), {
        code: "configuration_invalid",
        message: what,
      });
    assert.equal(connectionSettings(given).sslMode, "require");
  });
});

/** By a certificate for `localhost`, which the authority in `folder` signed. */
async function haveTls(server: OwnServer, folder: string): Promise<void> {
  const { rows } = await server.query("postgres", "SHOW data_directory");
  const data = (await installation()).root + (rows as [{ data_directory: string }])[0].data_directory;
  const { uid, gid } = await stat(data);
  for (const [from, to] of [
    ["cert.pem", "server.crt"],
    ["key.pem", "server.key"],
  ] as const) {
    await writeFile(join(data, to), await readFile(join(folder, from)), { mode: 0o600 });
    await chown(join(data, to), uid, gid);
  }
  await server.query("postgres", "ALTER SYSTEM SET ssl = on");
  await server.query("postgres", "SELECT pg_reload_conf()");
}
