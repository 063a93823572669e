import type { HttpAnswer } from "./http-request.ts";
import { readCode } from "../errors.ts";

/** Why an event is not delivered. What may pass is tried again. */
export type SinkFault = { readonly why: string; readonly hint: string; readonly mayPass: boolean };

const RETRIED = [404, 408, 409, 429];
const HINT = "check the sink that K_SINK names; the run itself is not affected";
const HINTS: readonly (readonly [code: RegExp, hint: string])[] = [
  [
    /^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO_|CERT_)/,
    "K_CA_CERTS must hold the authority that signed the sink's certificate, as a SinkBinding copies it from the sink, or TRUSTED_CA_FILE name it",
  ],
  [/^ERR_TLS_CERT_ALTNAME/, "K_SINK must call the sink as its certificate does"],
  [/^ERR_PROXY_/, "check the proxy in HTTPS_PROXY or HTTP_PROXY, or name the sink's host in NO_PROXY"],
  [/^ERR_OSSL_/, "K_CA_CERTS and TRUSTED_CA_FILE must hold whole certificates in PEM"],
];

/** Delivered is what that URL itself took with 2xx: an answer of elsewhere, like the page of a login, took nothing. */
export function describeRefusal({ status, redirectsTo }: HttpAnswer): SinkFault | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (redirectsTo !== undefined) {
    const hint = "let K_SINK name the address that takes events itself: redirects are not followed";
    return { why: `it redirects to ${redirectsTo} (status ${status})`, hint, mayPass: false };
  }
  return { why: `status ${status}`, hint: HINT, mayPass: status >= 500 || RETRIED.includes(status) };
}

/** There was no answer. */
export function describeFailure(error: unknown): SinkFault {
  const hint = HINTS.find(([code]) => code.test(readCode(error)))?.[1] ?? HINT;
  return { why: describeCause(error), hint, mayPass: true };
}

/** A name with several addresses fails with one error for each, and with a code alone. */
function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "AbortError" && error.cause instanceof Error) return error.cause.message;
  return error.message === "" ? readCode(error) : error.message;
}
