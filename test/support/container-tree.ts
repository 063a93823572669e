import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { execa } from "execa";
import type { TestServer } from "./postgres.ts";

/** The commands of backup-container's plugin for PostgreSQL, as they were over the years; `$0` and `$1` are the tools. */
const DUMP = '"$0" -Fp "$PGDATABASE"';
const ROLES = `"$1" --roles-only --no-role-passwords | sed "/^CREATE ROLE \\"$PGUSER\\";/d; /^CREATE ROLE postgres;/d; /^ALTER ROLE \\"$PGUSER\\" /d; /^ALTER ROLE postgres /d"`;
const COMMANDS = {
  /** Two members of gzip, one behind the other. */
  members: `{ ${DUMP} | gzip; ${ROLES} | gzip; } > "$2"`,
  one: `( ${DUMP}; ${ROLES} ) | gzip > "$2"`,
  /** Before it had roles. */
  alone: `${DUMP} | gzip > "$2"`,
  /** Of a release that changed its mind soon. */
  customInGzip: `{ "$0" -Fc "$PGDATABASE"; ${ROLES}; } | gzip > "$2"`,
} as const;

export type ContainerTree = ReturnType<typeof containerTree>;

/** Fills a volume as backup-container did, with the real tools. */
export function containerTree(server: TestServer, path: string) {
  const at = async (name: string) => {
    await mkdir(dirname(join(path, name)), { recursive: true });
    return join(path, name);
  };
  const { host, port, user, password, binDir } = server;
  return {
    name: (stem: string, folder: string, time = "01-00-00") =>
      `${folder}/${stem}_${folder.slice(-10)}_${time}.sql.gz`,
    async dump(database: string, name: string, how: keyof typeof COMMANDS): Promise<void> {
      const env = {
        PGHOST: host,
        PGPORT: `${port}`,
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database,
      };
      const tools = [`${binDir}/pg_dump`, `${binDir}/pg_dumpall`];
      await execa("sh", ["-ec", COMMANDS[how], ...tools, await at(name)], { env });
    },
    copy: async (from: string, to: string) => copyFile(join(path, from), await at(to)),
    write: async (name: string, bytes: Uint8Array | string) => writeFile(await at(name), bytes),
    bytes: (name: string) => readFile(join(path, name)),
    text: async (name: string) => gunzipSync(await readFile(join(path, name))).toString("latin1"),
    /** The same file with its script changed. */
    async change(from: string, to: string, change: (script: string) => string): Promise<void> {
      const script = gunzipSync(await readFile(join(path, from))).toString("latin1");
      await writeFile(await at(to), gzipSync(Buffer.from(change(script), "latin1")));
    },
  };
}
