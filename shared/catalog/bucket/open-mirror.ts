import { readFileSync } from "node:fs";
import type { Mirror } from "../mirror.ts";
import { lazyMirror } from "./lazy-mirror.ts";
import { bucketSettings, type MirrorConfig } from "../../config/mirror-config.ts";

/** The bucket, if there is one. What does not fit together in its settings is told now, its SDK is loaded later. */
export function mirrorOf(config: MirrorConfig): Mirror | undefined {
  const settings = bucketSettings(config, (path) => readFileSync(path, "utf8"));
  if (settings === undefined) return undefined;
  return lazyMirror(async () => (await import("./s3-mirror.ts")).s3Mirror(settings));
}
