import * as z from "zod/mini";
import { variable } from "./config.ts";
import { httpUrl, path, text, wholeNumber } from "./rules.ts";

const pem = z.string().check(z.includes("-----BEGIN CERTIFICATE-----"));
const overrides = z.pipe(
  z.pipe(
    z.string().check(z.refine(isJson)),
    z.transform((json: string): unknown => JSON.parse(json)),
  ),
  z.object({
    extensions: z.nullish(
      z.record(z.string().check(z.regex(/^[a-z\d]+$/i)), z.union([z.string(), z.number(), z.boolean()])),
    ),
  }),
);

/** Events that go out. */
export const sinkVariables = {
  K_SINK: variable(z.optional(httpUrl), {
    description: "Where events go; a SinkBinding sets it. Unset: no events.",
    allowed: "an http or https URL",
  }),
  K_CA_CERTS: variable(z.optional(pem), {
    description:
      "Authorities that sign certificates of the sink and of all else that goes out, beside the well-known ones; a SinkBinding sets it where the sink has some.",
    allowed: "certificates in PEM",
  }),
  K_CE_OVERRIDES: variable(z.optional(overrides), {
    description: "Extensions for those events; a SinkBinding sets it.",
    allowed: 'JSON like `{"extensions":{"team":"hets"}}`, with names of letters and digits',
  }),
  SINK_TOKEN_FILE: variable(z.prefault(path, "/oidc/token"), {
    description:
      "Token that is sent with those events, if it is there; a SinkBinding mounts it where the cluster has `authentication-oidc`. Set it for a token that you mount yourself.",
    allowed: "an absolute path",
  }),
  K_SINK_AUDIENCE: variable(z.optional(text), {
    description:
      "The audience of that token. With it no event is sent without one. A SinkBinding does not set it.",
    allowed: "the audience of the sink",
  }),
};

/** What bounds the work that events cause, however many come: they need no token. */
export const intervalVariables = {
  MIN_INTERVAL_MINUTES: wholeNumber(
    { from: 0, to: 1_440, unset: 10 },
    "While a verified backup is younger than this, an event takes none. While a cull has begun within this time, an event starts none, unless it names a newer backup. An event starts no rehearsal while the same one is under way, or has ended within this time or less long ago than it took. A POST always starts a run. Lower it to back up by events more often. 0: each event starts a run.",
  ),
};

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
