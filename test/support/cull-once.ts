// Culls BACKUP_DIR once as the user DORMOUSE_TEST_UID, whose files it may then not all read, and prints what came of it.
import { retiredDatabases } from "../../shared/backup/retired-databases.ts";
import { damageBook } from "../../functions/cull/marks/damage-book.ts";
import { runFiles } from "../../shared/run/run-files.ts";
import { volumeCatalog } from "../../shared/catalog/volume/volume-catalog.ts";
import { asDormouseError } from "../../shared/errors.ts";
import { jsonLog } from "../../shared/log.ts";
import { cullPlaces } from "../../functions/cull/cull-places.ts";
import { inTurn } from "../../shared/waiting.ts";
import { KEEP_NOTHING } from "./backups.ts";
import type { OutcomeEvent } from "../../shared/run/run.ts";

const uid = Number(process.env["DORMOUSE_TEST_UID"]);
process.setgroups?.([]);
process.setgid?.(uid);
process.setuid?.(uid);

const path = process.env["BACKUP_DIR"] ?? "";
const log = jsonLog(() => undefined);
const runs = runFiles(path, log);
const catalog = volumeCatalog(path);
const events: string[] = [];
const sink = {
  async send({ type, subject, data }: OutcomeEvent) {
    const { removed = [] } = data as { readonly removed?: readonly { readonly name: string }[] };
    events.push(`${type} ${subject} ${removed.map(({ name }) => name.slice(5, 10)).join()}`);
  },
};
const trigger = { source: "test", id: "1" };
const { run } = await runs.begin({ kind: "cull", database: "*", trigger, request: {} });
const signal = new AbortController().signal;
const nothing = async () => undefined;
const announcing: Promise<void>[] = [];
const context = {
  run,
  isResumed: false,
  signal,
  refresh: async () => run,
  step: nothing,
  amend: nothing,
  progress: () => undefined,
  meanwhile: (task: (signal: AbortSignal) => Promise<void>) => void announcing.push(task(signal)),
};
const deps = {
  catalog,
  runs,
  damage: damageBook(path),
  retired: retiredDatabases(path),
  retiredGo: true,
  events: sink,
  log,
  mutex: inTurn(1),
  namespace: undefined,
};
const policy = { ...KEEP_NOTHING, newest: Number(process.env["NUM_BACKUPS"]) };
const outcome = await cullPlaces(
  deps,
  { policy, maxRemovals: 200, dryRun: false, adoptLimit: 10 },
  context,
).then(
  (report) => ({ report }),
  (error: unknown) => {
    const { code, message } = asDormouseError(error);
    return { error: { code, message } };
  },
);
await Promise.all(announcing);
const { foreign } = await catalog.list(signal);
process.stdout.write(`${JSON.stringify({ ...outcome, foreign, events })}\n`);
