import * as z from "zod";
import type { CatalogListing, LegacyFile, VolumeCatalog } from "../../shared/catalog/catalog.ts";
import { adoptable, describeAdopted } from "../../shared/catalog/legacy/legacy-adoption.ts";
import type { RunContext, RunStep, RunStore } from "../../shared/run/run.ts";
import { asDormouseError, type Problem, problemFrom, logged } from "../../shared/errors.ts";
import type { Log } from "../../shared/log.ts";

type AdoptDependencies = {
  readonly catalog: Pick<VolumeCatalog, "list" | "adopt">;
  readonly runs: Pick<RunStore, "all">;
  readonly log: Log;
};

export type AdoptReport = {
  readonly adopted: readonly string[];
  /** All that are known, not only those of this run. They stay as they are. */
  readonly damaged: readonly { readonly name: string; readonly why: string }[];
  /** What could not be adopted now, for a fault that is not the file's content: the next runs try again. */
  readonly failed: readonly { readonly name: string; readonly why: string }[];
  /** Why it did not come to the end, or did not begin. */
  readonly problem?: Problem | undefined;
  /** Left for the next runs. */
  readonly waiting: number;
};

/**
 * Makes backups of the files of the old pod, at most `limit` a run: each is read to its end first. It throws nothing but
 * the end of the process: one that fails, as its folder may not be written, is reported, and the next is tried.
 */
export async function adoptLegacyFiles(
  deps: AdoptDependencies,
  limit: number,
  context: RunContext,
): Promise<AdoptReport> {
  const { run, signal, step } = context;
  const tally: Tally = { adopted: [], damaged: [], failed: [] };
  try {
    const listing = await deps.catalog.list(signal);
    for (const { name, damage } of listing.legacy)
      if (damage !== undefined) tally.damaged.push({ name, why: damage });
    const fatal = await noteFatal(context);
    tally.failed.push(...[...fatal].map((name) => ({ name, why: FATAL })));
    const legacy = listing.legacy.filter((file) => !fatal.has(file.name));
    const failedBefore = await readFailed(deps.runs);
    for (const file of adoptable(legacy, new Date(), limit, failedBefore))
      await adoptOne(deps, file, { listing, tally, context });
    const { adopted, damaged, failed } = tally;
    if (adopted.length + damaged.length + failed.length > 0)
      await step(ADOPTED, { adopted: adopted.length, damaged: damaged.length, failed });
    return { ...tally, waiting: listing.legacy.length - adopted.length - damaged.length };
  } catch (error) {
    signal.throwIfAborted();
    const problem = problemFrom(error);
    deps.log.error("adoption failed", { run: run.id, ...logged(problem) });
    await step("adoption_failed", { problem });
    return { ...tally, waiting: 0, problem };
  }
}

/** A file whose reading has ended the process must not be read again by each of its next ones, before all others. */
const FATAL =
  "the process ended while it was read: raise the memory limit of the pod, or move the file out of BACKUP_DIR";
const ENDED_AT = "adoption_interrupted";
const ADOPTED = "adopted";
const failedSchema = z.object({ failed: z.array(z.object({ name: z.string() })) });

/** The files at which earlier attempts of this run ended; the last of them is on record as in use. */
async function noteFatal({ run: { steps, uses = [] }, step }: RunContext): Promise<ReadonlySet<string>> {
  if (uses.length > 0) await step(ENDED_AT, { failed: uses.map((name) => ({ name })) });
  const before = steps.filter((taken) => taken.step === ENDED_AT).flatMap(failedIn);
  return new Set([...before, ...uses]);
}

/** When each last failed, by the records of the runs before, abandoned ones included. */
async function readFailed(runs: AdoptDependencies["runs"]): Promise<ReadonlyMap<string, Date>> {
  const steps = (await runs.all("cull")).flatMap((run) => run.steps);
  const tried = steps.filter(({ step }) => step === ADOPTED || step === ENDED_AT);
  return new Map(tried.flatMap((taken) => failedIn(taken).map((name) => [name, taken.at] as const)));
}

function failedIn({ detail }: RunStep): readonly string[] {
  return failedSchema.safeParse(detail).data?.failed.map(({ name }) => name) ?? [];
}

type Named = { readonly name: string; readonly why: string };
type Tally = { readonly adopted: string[]; readonly damaged: Named[]; readonly failed: Named[] };
type Adopting = { readonly listing: CatalogListing; readonly tally: Tally; readonly context: RunContext };

async function adoptOne(
  deps: AdoptDependencies,
  file: LegacyFile,
  { listing: { backups }, tally, context: { run, signal, amend, progress } }: Adopting,
): Promise<void> {
  signal.throwIfAborted();
  const { name } = file;
  const adoption = { run: run.id, now: new Date() };
  await amend({ uses: [name] });
  try {
    const result = await deps.catalog.adopt(
      file,
      (contents) => describeAdopted(file, contents, backups, adoption),
      signal,
    );
    if ("damage" in result) {
      tally.damaged.push({ name, why: result.damage });
      deps.log.warn("legacy file damaged", { run: run.id, backup: name, why: result.damage });
    } else {
      tally.adopted.push(name);
      deps.log.info("legacy file adopted", { run: run.id, backup: name });
    }
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = asDormouseError(error);
    tally.failed.push({ name, why: message });
    deps.log.warn("legacy file not adopted", { run: run.id, backup: name, code, error: message });
  } finally {
    await amend({ uses: [] });
  }
  progress({ adopted: name });
}
