import { variable } from "./config.ts";
import { knativeVariables } from "./knative-config.ts";
import { notifyVariables } from "./notify-config.ts";
import { proxyVariables } from "./proxy-config.ts";
import { newestVariables } from "./retention-config.ts";
import { path, wholeNumber } from "./rules.ts";
import { sinkVariables } from "./sink-config.ts";
import * as z from "zod/mini";

const volumeVariables = {
  BACKUP_DIR: variable(path, {
    description: "Folder of the backup volume. It must be there: it is never made.",
    allowed: "an absolute path",
  }),
  VOLUME_TIMEOUT_SECONDS: wholeNumber(
    { from: 1, to: 3_600, unset: 60 },
    "How long the volume may leave a call unanswered; ten times that for what must be on disk. Raise it for a file server that is slow to wake.",
  ),
};

/** What all functions read. */
export const commonVariables = {
  ...volumeVariables,
  RESTORE_DIR: variable(z.optional(path), {
    description:
      "Scratch folder of the restore function, for copies of archives: encrypted, in the bucket alone, or checked by MANIFEST_PUBLIC_KEY. Needs room for the largest.",
    allowed: "an absolute path",
  }),
  ...newestVariables,
  ...knativeVariables,
  ...sinkVariables,
  ...notifyVariables,
  ...proxyVariables,
};
