import type { OutboundConfig } from "./http-request.ts";

/** The sink, and how to reach it, as the environment has it. */
export type SinkConfig = {
  /** Where a SinkBinding points. */
  readonly K_SINK?: string | undefined;
  readonly K_CE_OVERRIDES?: { readonly extensions?: Extensions | null | undefined } | undefined;
  /** A token for the sink, which is renewed there: a SinkBinding mounts it. */
  readonly SINK_TOKEN_FILE?: string | undefined;
  /** Its audience; if set, nothing is sent without a token. */
  readonly K_SINK_AUDIENCE?: string | undefined;
} & OutboundConfig;

type Extensions = Readonly<Record<string, string | number | boolean>>;
