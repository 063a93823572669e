import type { Backup, Run, Step } from "../wire.ts";

/** How long the last restore or rehearsal of a database took, and what that says of its newest backup. */
export type RecoveryTime = {
  readonly estimateMs: number;
  readonly measuredMs: number;
  readonly at: string;
  /** A rehearsal stops and starts nothing: the swap and the pods come on top. */
  readonly isRehearsal: boolean;
  readonly measuredBytes: number;
  readonly bytes: number;
};

const MEASURED = new Set(["swap", "in-place", "rehearse"]);

/**
 * Measured, and scaled by size: reading, loading and comparing grow with the database; the swap and the pods do not.
 * `undefined` where nothing was measured. `runs` newest first.
 */
export function recoveryTime(
  runs: readonly Run[],
  backups: readonly Backup[],
  newest: Backup,
): RecoveryTime | undefined {
  for (const run of runs) {
    const measured = measuredBy(run, backups);
    if (measured === undefined) continue;
    const { loadMs, restMs, bytes: measuredBytes } = measured;
    const bytes = newest.manifest.content.databaseBytes;
    return {
      estimateMs: Math.round(loadMs * (bytes / measuredBytes) + restMs),
      measuredMs: loadMs + restMs,
      at: run.acceptedAt,
      isRehearsal: run.request["strategy"] === "rehearse",
      measuredBytes,
      bytes,
    };
  }
  return undefined;
}

function measuredBy(run: Run, backups: readonly Backup[]) {
  const { steps, finishedAt } = run;
  const at = (name: string) => steps.find(({ step }) => step === name);
  const [begun, loaded] = [at("locked"), at("compared") ?? at("replaced")];
  const bytes = toBytes(at, backups);
  if (
    !isMeasured(run) ||
    finishedAt === undefined ||
    begun === undefined ||
    loaded === undefined ||
    bytes === 0
  )
    return undefined;
  const loadMs = Date.parse(loaded.at) - Date.parse(begun.at);
  return { loadMs, restMs: Date.parse(finishedAt) - Date.parse(loaded.at), bytes };
}

/** A run that resumed also counts the time in between. */
function isMeasured({ state, request, attempt }: Run): boolean {
  const isWhole = state === "succeeded" && attempt === 1 && request["dryRun"] !== true;
  return isWhole && MEASURED.has(String(request["strategy"]));
}

function toBytes(at: (name: string) => Step | undefined, backups: readonly Backup[]): number {
  const name = at("verified")?.detail?.["backup"];
  const source = backups.find((backup) => backup.name === name);
  return source?.manifest.content.databaseBytes ?? Number(at("loaded")?.detail?.["bytes"] ?? 0);
}
