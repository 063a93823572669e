import * as z from "zod/mini";
import { variable, type Environment } from "./config.ts";
import { path } from "./rules.ts";

const proxy = z.url({ protocol: /^https?$/ });
const allowed = "the http or https URL of a proxy";

/** Of what leaves the cluster. The database, the API and the pod itself are reached directly, whatever stands here. */
export const proxyVariables = {
  HTTPS_PROXY: variable(z.optional(proxy), {
    description:
      "Proxy by which the bucket, the sink, webhooks, the monitor, the Pushgateway and the collector are reached, where their address is https, and the mail server, where it speaks TLS; `https_proxy` goes before it. The database, the cluster's API and the pod itself are always reached directly.",
    allowed,
  }),
  HTTP_PROXY: variable(z.optional(proxy), {
    description: "The same where their address is http; `http_proxy` goes before it.",
    allowed,
  }),
  NO_PROXY: variable(z.optional(z.string()), {
    description:
      "What is reached directly nevertheless; `no_proxy` goes before it. A sink in the cluster needs `.svc,.cluster.local` here, and a proxy that tunnels no mail the mail server.",
    allowed: "hosts, `.suffixes` and addresses, separated by commas",
  }),
  TRUSTED_CA_FILE: variable(z.optional(path), {
    description:
      "Authorities that sign certificates of the bucket, the sink, webhooks, the monitor, the mail server, the Pushgateway and the collector, beside the well-known ones and `K_CA_CERTS`. Set it where a company has its own, or a proxy that opens TLS.",
    allowed: "the path of a PEM file",
    isFile: true,
  }),
};

/** Programs differ in the case of these names: whichever is set counts, that of lower case first, as in curl and Node. */
export function withProxies(environment: Environment): Environment {
  const given = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"].map((name) => [
    name,
    environment[name.toLowerCase()] || environment[name],
  ]);
  return { ...environment, ...Object.fromEntries(given) };
}
