import { readFileSync } from "node:fs";
import type { Check } from "../../doctor/finding.ts";
import type { Mirror } from "../mirror.ts";
import type { Examiner } from "../../doctor/check-bucket.ts";
import { lazyMirror } from "./lazy-mirror.ts";
import { bucketSettings, type MirrorConfig } from "../../config/mirror-config.ts";

/** The bucket, if there is one. What does not fit together in its settings is told now, its SDK is loaded later. */
export function mirrorOf(config: MirrorConfig): Mirror | undefined {
  const settings = bucketSettings(config, (path) => readFileSync(path, "utf8"));
  if (settings === undefined) return undefined;
  return lazyMirror(async () => (await import("./s3-mirror.ts")).s3Mirror(settings));
}

/** A round trip to the bucket, if there is one. */
export function mirrorChecks(config: MirrorConfig, examiner: Examiner): readonly Check[] {
  const settings = bucketSettings(config, (path) => readFileSync(path, "utf8"));
  if (settings === undefined) return [];
  const look: Check["look"] = async (signal) =>
    (await import("../../doctor/check-bucket.ts")).bucketCheck(settings, examiner).look(signal);
  return [{ name: "mirror", look }];
}
