import type { Way } from "./http-ask.ts";

/** Where events go and by which way, as the environment says. */
export type SinkConfig = {
  /** Where a SinkBinding points. */
  readonly K_SINK?: string | undefined;
  readonly K_CE_OVERRIDES?: { readonly extensions?: Extensions | null | undefined } | undefined;
  /** A token for the sink, which is renewed there: a SinkBinding mounts it. */
  readonly SINK_TOKEN_FILE?: string | undefined;
  /** Its audience; nothing is sent without a token then. */
  readonly K_SINK_AUDIENCE?: string | undefined;
} & Way;

export type Extensions = Readonly<Record<string, string | number | boolean>>;
