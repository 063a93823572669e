import { bucketSettings, type MirrorConfig } from "../../config/mirror-config.ts";
import { lazily } from "../../waiting.ts";
import type { BucketCatalog } from "../catalog.ts";

/**
 * The bucket, if there is one. What does not fit together in its settings is reported now; its SDK is loaded when it is first
 * asked for something, and does not delay the waking of a function.
 */
export function openBucketCatalog(
  config: MirrorConfig & { readonly BACKUP_DIR: string },
): BucketCatalog | undefined {
  const settings = bucketSettings(config);
  if (settings === undefined) return undefined;
  const catalog = lazily(async () =>
    (await import("./bucket-catalog.ts")).bucketCatalog(settings, config.BACKUP_DIR),
  );
  return {
    list: async (...given) => (await catalog()).list(...given),
    find: async (...given) => (await catalog()).find(...given),
    open: async (...given) => (await catalog()).open(...given),
    mark: async (...given) => (await catalog()).mark(...given),
    remove: async (...given) => (await catalog()).remove(...given),
    finishRemoval: async (...given) => (await catalog()).finishRemoval(...given),
    copyIn: async (...given) => (await catalog()).copyIn(...given),
    rewrite: async (...given) => (await catalog()).rewrite(...given),
    sweepUploads: async (...given) => (await catalog()).sweepUploads(...given),
  };
}
