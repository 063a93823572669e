import * as promises from "../../shared/catalog/volume/volume-calls.ts";
import { cullBackups, type CullDependencies } from "../../functions/cull/cull-backups.ts";
import { damageBook } from "../../functions/cull/marks/damage-book.ts";
import { inTurn } from "../../shared/waiting.ts";
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import type { Files } from "../../shared/catalog/volume/files.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { jsonLog } from "../../shared/log.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { KEEP_NOTHING } from "./backups.ts";

const never = new AbortController().signal;
const silent = jsonLog(() => undefined);
const POLICY = { ...KEEP_NOTHING, newest: 2 };

/** A cull that keeps two backups, on a real volume of which some calls fail, or do something else first. */
export async function cullWith(path: string, files: Partial<Files>, maxRemovals = 200) {
  const runs = runFiles(path, silent);
  const { run } = await runs.begin({
    kind: "cull",
    database: "*",
    trigger: { source: "test", id: `${Math.random()}` },
    request: {},
  });
  const catalog = volumeCatalog(path, { ...promises, ...files });
  const deps: CullDependencies = {
    place: "volume",
    catalog,
    volume: catalog,
    namespace: undefined,
    runs,
    damage: damageBook(path),
    retired: retiredDatabases(path),
    retiredGo: true,
    events: { send: async () => undefined },
    log: silent,
    mutex: inTurn(1),
  };
  const nothing = async () => undefined;
  const [progress, meanwhile] = [() => undefined, () => undefined];
  const record = { refresh: async () => run, step: nothing, amend: nothing, progress, meanwhile };
  const context = { run, isResumed: false, signal: never, ...record };
  return cullBackups(deps, { policy: POLICY, maxRemovals, dryRun: false }, context);
}
