import assert from "node:assert/strict";
import type { CullPlacesReport } from "../../functions/cull/cull-places.ts";
import type { CullReport } from "../../functions/cull/cull-report.ts";
import type { Backup } from "../../shared/catalog/backup.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import type { ManifestGiven } from "./backups.ts";
import { cullEnvironment, daysOf, fillVolume } from "./culled.ts";
import { eventReceiver } from "./event-receiver.ts";
import { until } from "./faulty.ts";
import { startFunction } from "./function-process.ts";
import { makeBucket, mirrorEnvironment, type OwnStore } from "./s3.ts";
import { storeProxy } from "./store-proxy.ts";
import { pieces, temporaryVolume } from "./volume.ts";

const never = new AbortController().signal;
/** The same in both places: they are of one installation. */
export const ORIGIN = { namespace: "hets", service: "postgresql", system: "7312345678901234567" };

type Counts = { readonly onVolume: number; readonly inBucket: number };

/** A volume and a bucket behind a proxy with the oldest of the same backups, and cull functions that keep two. */
export async function setMirroredCull(
  store: OwnStore,
  { onVolume, inBucket }: Counts,
  given: (index: number) => ManifestGiven = () => ({}),
) {
  const parts = new AsyncDisposableStack();
  const bucket = parts.use(await makeBucket(store));
  const proxy = parts.use(await storeProxy(store.port));
  const volume = parts.use(await temporaryVolume());
  const elsewhere = parts.use(await temporaryVolume());
  const sink = parts.use(await eventReceiver());
  const mirror = bucketCatalog(bucket.settings);
  const copyIn = async (backups: readonly Backup[]) => {
    for (const backup of backups)
      await mirror.copyIn(backup, async () => pieces(`PGDMP ${backup.name}`), never);
  };

  await fillVolume(volume.path, onVolume, () => ({ origin: ORIGIN }));
  const backups = await fillVolume(elsewhere.path, inBucket, (at) => ({ origin: ORIGIN, ...given(at) }));
  await copyIn(backups);
  return {
    bucket,
    proxy,
    volume,
    sink,
    mirror,
    backups,
    copyIn,
    /** The type and subject of each event, once there are two: one of each place. */
    async events() {
      await until(async () => sink.events.length >= 2);
      return sink.events.map(({ type, subject }) => [type, subject]);
    },
    mirrored: async () => daysOf((await mirror.list(never)).backups),
    onVolume: async () => daysOf((await volume.catalog.list(never)).backups),
    async start(changes: Readonly<Record<string, string>> = {}) {
      const s3 = { ...mirrorEnvironment(bucket, proxy.endpoint), S3_TIMEOUT_SECONDS: "20" };
      const environment = { NUM_BACKUPS: "2", K_SINK: sink.url, ...s3, ...changes };
      return parts.use(await startFunction("cull", cullEnvironment(volume.path, environment)));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

export function reportOfBucket({ bucket }: CullPlacesReport): CullReport {
  assert.ok(bucket !== undefined && !("problem" in bucket), JSON.stringify(bucket));
  return bucket;
}
