import { DormouseError } from "../errors.ts";

/** All but printable ASCII, and the double quote and the percent sign. */
const SPECIAL = /[^!#$&-~]/gu;

/**
 * An attribute as an HTTP header holds it, and back
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values).
 */
export function encodeHeaderValue(value: string): string {
  return value.toWellFormed().replaceAll(SPECIAL, encodeURIComponent);
}

/** Older senders quote instead. Throws `event_invalid` for bytes that are not UTF-8, as the specification demands. */
export function decodeHeaderValue(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1];
  const text = quoted === undefined ? value : quoted.replaceAll(/\\(.)/g, "$1");
  try {
    return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, decodeURIComponent);
  } catch (error) {
    throw new DormouseError("event_invalid", `the event cannot be read: ${value} is not UTF-8`, {
      hint: "percent-encode what is not ASCII in headers, as UTF-8",
      cause: error,
    });
  }
}
