import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { Settings } from "./properties/database-properties.ts";
import type { LoadRequest } from "./load/load-choice.ts";
import { DormouseError, readCode } from "../errors.ts";
import { BESIDE, startLoad, type Loader } from "./load-tool.ts";
import { restricted } from "./plain-dump/restricted-script.ts";

/** psql reads no startup file, stops at the first error and asks nothing. */
export const PSQL = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password"] as const;

/**
 * A script makes event triggers before it fills materialized views. Before 17 no setting keeps them from firing but the one
 * by which a superuser replicates, and in a script of pg_dump nothing else heeds that: its rows come before its triggers.
 */
function withoutEventTriggers(settings: Settings): Settings {
  const isSuperuser = "session_replication_role" in settings;
  if (!isSuperuser || "event_triggers" in settings) return settings;
  return { ...settings, session_replication_role: "replica" };
}

/**
 * Feeds a plain dump to psql. Only for a file that was read to its end before: psql takes the end of its input for the
 * end of the data, and commits what it got.
 */
export async function loadPlain(loader: Loader, request: LoadRequest, signal: AbortSignal): Promise<void> {
  const { database, file, format, settings, loadedBytes = Infinity } = request;
  const { version, unsafeBefore } = loader.tools;
  if (unsafeBefore !== undefined)
    throw new DormouseError(
      "client_tools_not_found",
      `psql ${version} knows no \\restrict, and reads no script`,
      {
        hint: `install the PostgreSQL client tools ${unsafeBefore} or newer`,
      },
    );
  const running = startLoad(
    loader,
    "psql",
    {
      database,
      settings: { ...withoutEventTriggers(settings), ...BESIDE },
      arguments: [...PSQL, "--output=/dev/null", `--dbname=${loader.libpq.conninfo(database)}`],
    },
    signal,
  );
  const unzip = format === "gzip-sql" ? [createGunzip({ chunkSize: 1 << 18 })] : [];
  // psql that went away says why by its exit; a file that cannot be read ends psql.
  const fed = pipeline([
    Readable.from(file.bytes(), { objectMode: false }),
    ...unzip,
    restricted(loadedBytes),
    running.stdin,
  ]).catch((error: unknown) => {
    if (readCode(error) !== "EPIPE") running.stop(error);
  });
  for await (const _ of running.output) continue;
  await fed;
}
