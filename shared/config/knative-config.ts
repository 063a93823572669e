import * as z from "zod/mini";
import { variable } from "./config.ts";
import { path, text, wholeNumber } from "./rules.ts";

const hosts = z.pipe(
  z.string().check(z.regex(/^(\*\.)?[a-z0-9.-]+(\s*,\s*(\*\.)?[a-z0-9.-]+)*$/)),
  z.transform((list: string): readonly string[] => list.split(/\s*,\s*/)),
);

/** How a function runs: most of it is set by Knative. */
export const knativeVariables = {
  PORT: wholeNumber(
    { from: 0, to: 65_535, unset: 8_080 },
    "Port to listen on; Knative sets it. Set it outside of Knative where 8080 is taken. 0 finds a free one.",
  ),
  SHUTDOWN_GRACE_SECONDS: wholeNumber(
    { from: 0, to: 3_600, unset: 20 },
    "How long a run may go on after SIGTERM before it is interrupted; below the pod's own grace period, with which you raise it in a Job or outside of Knative.",
  ),
  K_SERVICE: variable(z.optional(text), {
    description: "Name of the Knative Service; Knative sets it. Unset: the function does not run on Knative.",
    allowed: "the name of a Knative Service",
  }),
  POD_NAMESPACE: variable(z.optional(text), {
    description:
      "Namespace that the origin of a backup names. Set it outside of a cluster. Unset: that of the pod, as its resolver knows it.",
    allowed: "the name of a namespace",
  }),
  ALLOWED_HOSTS: variable(z.optional(hosts), {
    description:
      "Names by which the function is asked besides those that its service has in the cluster, as those of a Route. Without it such a name is refused, as a foreign page may have sent the request.",
    allowed: "host names without ports, separated by commas; `*.` stands for anything before it",
  }),
  TIMEOUT_SECONDS: wholeNumber(
    { from: 5, to: 86_400, unset: 300 },
    "`timeoutSeconds` of the Knative Service: how long one request may last, and the end of a pod. A run is not bound by it. Set it with that field.",
  ),
  // Knative Eventing 1.15 sets this and not K_EXECUTION_MODE; later ones set both.
  K_EVENT_PATH: variable(z.optional(path), {
    description: "Folder of an event; a JobSink sets it. The function carries out that event and ends.",
    allowed: "an absolute path",
  }),
};
