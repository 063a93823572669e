import { findClientTools } from "../../shared/postgres/client-tools.ts";
import { startDump, type DumpOptions, type DumpRequest } from "../../shared/postgres/pg-dump.ts";
import { readArchive } from "../../shared/postgres/read-archive.ts";
import { openLibpq, type Libpq } from "../../shared/postgres/session/libpq.ts";
import { anInspection as inspection, dumpOptions, settingsOf } from "./postgres-adapter.ts";
import { sharedServer } from "./postgres.ts";

const never = new AbortController().signal;

type Changes = Partial<DumpRequest> & {
  readonly libpq?: Libpq;
  readonly options?: Partial<DumpOptions>;
  readonly signal?: AbortSignal;
};

export type DumpStage = Awaited<ReturnType<typeof setDumpStage>>;

/** A database with a table that no pipe can hold, another of two rows with an odd name, and a large object. */
export async function setDumpStage() {
  const server = await sharedServer();
  const own = await openLibpq(settingsOf(server));
  const tools = await findClientTools(server.major, server.binDir, "");
  const database = await server.createDatabase();
  await server.query(
    database,
    `CREATE TABLE wide AS SELECT n AS id, md5(n::text) || md5((n * 7)::text) AS noise FROM generate_series(1, 60000) n;
     CREATE TABLE "odd ""name" (a int); INSERT INTO "odd ""name" VALUES (1), (2);
     SELECT lo_from_bytea(0, 'bytes');`,
  );
  return {
    server,
    database,
    dump({ libpq = own, options, signal = never, ...request }: Changes = {}) {
      const wanted = { database, inspection, leaveOut: [], ...request };
      return startDump({ tools, libpq, options: dumpOptions(server, options), request: wanted }, signal)
        .archive;
    },
    read: (archive: AsyncIterable<Uint8Array>, options?: Partial<DumpOptions>) =>
      readArchive(tools, archive, dumpOptions(server, options), never),
    async [Symbol.asyncDispose]() {
      await server.dropDatabase(database);
      await own[Symbol.asyncDispose]();
    },
  };
}
