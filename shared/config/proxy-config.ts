import { isIPv4 } from "node:net";
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
    allowed: "hosts and domains, addresses and networks like `10.0.0.0/16`, separated by commas",
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
  const given = (name: string) => environment[name.toLowerCase()] || environment[name];
  const [HTTPS_PROXY, HTTP_PROXY, NO_PROXY] = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"].map(given);
  return { ...environment, HTTPS_PROXY, HTTP_PROXY, NO_PROXY: NO_PROXY && asNodeReads(NO_PROXY) };
}

const NETWORK = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/;
const HOST = /^[a-z\d_-]+(?:\.[a-z\d_-]+)*\.?$/i;

/**
 * As curl, Go and Python read it, in the words of Node (https://nodejs.org/api/http.html#no_proxy-format): a domain stands for the
 * hosts below it as well, and a network for its addresses. Clusters write both.
 */
function asNodeReads(list: string): string {
  return list
    .split(/[\s,]+/)
    .flatMap((entry) => {
      const [, address = "", bits = ""] = NETWORK.exec(entry) ?? [];
      if (isIPv4(address) && Number(bits) <= 32) return [rangeOf(address, Number(bits))];
      return HOST.test(entry) && !isIPv4(entry) ? [entry, `*.${entry}`] : [entry];
    })
    .join(",");
}

function rangeOf(address: string, bits: number): string {
  const size = 2 ** (32 - bits);
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = number - (number % size);
  return `${toAddress(first)}-${toAddress(first + size - 1)}`;
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
