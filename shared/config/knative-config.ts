import * as z from "zod/mini";
import { integer, variable } from "./config.ts";

const text = z.string().check(z.minLength(1));
const path = z.string().check(z.startsWith("/"));

const hosts = z.pipe(
  z.string().check(z.regex(/^(\*\.)?[a-z0-9.-]+(\s*,\s*(\*\.)?[a-z0-9.-]+)*$/)),
  z.transform((list: string): readonly string[] => list.split(/\s*,\s*/)),
);

/** How a function runs: most of it is set by Knative. */
export const knativeVariables = {
  K_SERVICE: variable(z.optional(text), {
    description: "Name of the Knative Service; Knative sets it. Unset: the function does not run on Knative.",
    allowed: "the name of a Knative Service",
  }),
  POD_NAMESPACE: variable(z.optional(text), {
    description:
      "Namespace that the origin of a backup names. Unset: that of the pod, as its resolver knows it.",
    allowed: "the name of a namespace",
  }),
  ALLOWED_HOSTS: variable(z.optional(hosts), {
    description:
      "Names by which the function is asked besides those that its service has in the cluster, as those of a Route.",
    allowed: "host names without ports, separated by commas; `*.` stands for anything before it",
  }),
  TIMEOUT_SECONDS: variable(z.prefault(integer(5, 86_400), "300"), {
    description:
      "`timeoutSeconds` of the Knative Service: how long one request may last, and the end of a pod. A run is not bound by it.",
    allowed: "a whole number from 5 to 86400",
  }),
  HOLD_URL: variable(z.prefault(z.url({ protocol: /^http$/ }), "http://127.0.0.1:8012"), {
    description: "Where the pod's own queue-proxy listens: through it a function keeps its pod during a run.",
    allowed: "an http URL",
  }),
  // Knative Eventing 1.15 sets this and not K_EXECUTION_MODE; later ones set both.
  K_EVENT_PATH: variable(z.optional(path), {
    description: "Folder of an event; a JobSink sets it. The function carries out that event and ends.",
    allowed: "an absolute path",
  }),
};
