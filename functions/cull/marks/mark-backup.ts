import type { ArchiveName } from "../../../shared/catalog/archive-name.ts";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import { nearestBackup, offeringNearest } from "../../../shared/catalog/offer-nearest.ts";
import { isOwn, originText, ownOrigins } from "../../../shared/catalog/origin.ts";
import { odditiesIn, type DamageBook, type KnownDamage } from "../../../shared/retention/oddities.ts";
import type { BackupManifest, Marks } from "../../../shared/catalog/manifest.ts";
import type { RunContext } from "../../../shared/run/run.ts";
import { DormouseError } from "../../../shared/errors.ts";
import type { InTurn } from "../../../shared/waiting.ts";

type MarkDependencies = {
  /** Of both places, where there is a bucket. */
  readonly catalog: Pick<Catalog, "find" | "mark" | "list">;
  readonly volume: Pick<Catalog, "find" | "list">;
  readonly namespace: string | undefined;
  readonly damage: DamageBook;
  /** A backup is not pinned in the moment in which it is removed. */
  readonly mutex: InTurn;
};

type MarkRequest = {
  readonly action: "pin" | "unpin" | "acknowledge";
  readonly backup: ArchiveName;
  readonly reason?: string | undefined;
};

const DONE = { pin: "pinned", unpin: "unpinned", acknowledge: "acknowledged" } as const;

/**
 * Pins a backup so that no cull removes it, takes the pin away, or says that a suspect backup is right as it is: on the
 * volume, from where a backup run takes it to the bucket; in the bucket if the volume has lost it. Answers with its
 * manifest. Done twice it is done once. A damaged backup is acknowledged by its name as well: then it stops no cull.
 */
export async function markBackup(
  deps: MarkDependencies,
  request: MarkRequest,
  { run, step, signal }: RunContext,
): Promise<BackupManifest | { readonly damage: readonly KnownDamage[] }> {
  const { action, backup: name } = request;
  const by = run.caller ?? run.trigger.source;
  if (action === "acknowledge") {
    const damage = await acknowledgeDamage(deps, request, { by, signal });
    if (damage.length > 0) {
      await step(DONE[action], { backup: name, by, damage });
      if ((await deps.catalog.find(name, signal)) === undefined) return { damage };
    }
  }
  const mark = { at: new Date().toISOString(), by };
  const manifest = await deps.mutex(async () => {
    await assertOurs(deps, name, signal);
    return deps.catalog.mark(name, (before) => marked(before, request, mark), signal);
  });
  await step(DONE[action], { backup: name, by });
  return manifest;
}

/** Where it lies: on the volume, in the bucket, or in both. */
async function acknowledgeDamage(
  { catalog, damage }: MarkDependencies,
  { backup: name, reason: why }: MarkRequest,
  { by, signal }: { readonly by: string; readonly signal: AbortSignal },
): Promise<readonly KnownDamage[]> {
  const { foreign } = await catalog.list(signal);
  const placed = foreign.map((entry) => ({ place: "volume" as const, ...entry }));
  const found = (["volume", "bucket"] as const).flatMap((place) =>
    odditiesIn(
      placed.filter((entry) => entry.place === place),
      place,
      [],
    )
      .filter((entry) => entry.isDamage && entry.name === name)
      .map(({ path, reason, detail }) => ({
        place,
        path,
        reason,
        detail,
        at: new Date().toISOString(),
        by,
        why,
      })),
  );
  for (const each of found) await damage.acknowledge(each);
  return found;
}

/** What the volume has is ours to mark. In a bucket others may keep theirs, and no cull of ours goes by them. */
async function assertOurs(
  { catalog, volume, namespace }: MarkDependencies,
  name: ArchiveName,
  signal: AbortSignal,
): Promise<void> {
  const backup = await catalog.find(name, signal);
  if (backup === undefined) {
    throw await offeringNearest(notFound(name), catalog, ({ backups }) => nearestBackup(backups, name));
  }
  if ((await volume.find(name, signal)) !== undefined) return;
  const own = ownOrigins(namespace, (await volume.list(signal)).backups).get(backup.database);
  if (isOwn(own, { ...backup, places: ["bucket"] })) return;
  const message = `${name} in the bucket comes from elsewhere: ${originText(backup)}`;
  throw new DormouseError("backup_elsewhere", message, {
    hint: "mark it where it was taken; no cull of this installation removes it",
  });
}

function notFound(name: ArchiveName): DormouseError {
  return new DormouseError("backup_not_found", `there is no backup ${JSON.stringify(name)}`, {
    hint: "GET / of the backup function lists the volume, GET / of the restore function the bucket too",
  });
}

type Mark = { readonly at: string; readonly by: string };

function marked(manifest: BackupManifest, { action, reason }: MarkRequest, mark: Mark): Marks {
  const given = { ...mark, ...(reason === undefined ? {} : { reason }) };
  const { pin, acknowledged, verification } = manifest;
  switch (action) {
    case "pin":
      return { acknowledged, verification, pin: pin ?? given };
    case "unpin":
      return { acknowledged, verification };
    case "acknowledge":
      return { pin, verification, acknowledged: acknowledged ?? given };
  }
}
