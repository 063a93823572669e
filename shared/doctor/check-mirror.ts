import { bucketSettings, type MirrorConfig } from "../config/mirror-config.ts";
import type { Examiner } from "./check-bucket.ts";
import type { Check } from "./finding.ts";

/** A round trip to the bucket, if there is one. */
export function mirrorChecks(config: MirrorConfig, examiner: Examiner): readonly Check[] {
  const settings = bucketSettings(config);
  if (settings === undefined) return [];
  const run: Check["run"] = async (signal) =>
    (await import("./check-bucket.ts")).bucketCheck(settings, examiner).run(signal);
  return [{ name: "mirror", run }];
}
