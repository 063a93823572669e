import type { Catalog } from "../backup/catalog.ts";
import { adoptable, describeAdopted } from "../backup/legacy-adoption.ts";
import type { RunContext } from "../backup/run.ts";
import type { Log } from "../log.ts";

export type AdoptDependencies = {
  readonly catalog: Pick<Catalog, "list" | "adopt">;
  readonly log: Log;
  readonly now: () => Date;
  /** Of Dormouse. */
  readonly version: string;
};

export type AdoptReport = {
  readonly adopted: readonly string[];
  /** All that are known, not only those of this run. They stay as they are. */
  readonly damaged: readonly { readonly name: string; readonly why: string }[];
  /** Left for the next runs. */
  readonly waiting: number;
};

/** Makes backups of the files of the old pod, at most `limit` a run: each is read to its end first. */
export async function adoptLegacyFiles(
  deps: AdoptDependencies,
  limit: number,
  { run, signal, step, progress }: RunContext,
): Promise<AdoptReport> {
  const { backups, legacy } = await deps.catalog.list(signal);
  const damaged = legacy.flatMap(({ name, damage }) => (damage === undefined ? [] : [{ name, why: damage }]));
  const adopted: string[] = [];
  for (const file of adoptable(legacy, deps.now(), limit)) {
    signal.throwIfAborted();
    const adoption = { run: run.id, now: deps.now(), version: deps.version };
    const result = await deps.catalog.adopt(
      file,
      (contents) => describeAdopted(file, contents, backups, adoption),
      signal,
    );
    if ("damage" in result) {
      damaged.push({ name: file.name, why: result.damage });
      deps.log.warn("legacy file damaged", { run: run.id, backup: file.name, why: result.damage });
    } else {
      adopted.push(file.name);
      deps.log.info("legacy file adopted", { run: run.id, backup: file.name });
    }
    progress({ adopted: file.name });
  }
  if (adopted.length + damaged.length > 0)
    await step("adopted", { adopted: adopted.length, damaged: damaged.length });
  return { adopted, damaged, waiting: legacy.length - adopted.length - damaged.length };
}
