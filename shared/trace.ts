import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";

const VERSION_00 = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

export type SpanContext = { readonly traceId: string; readonly spanId: string };

/** `traceparent` of W3C Trace Context, if it is one (https://www.w3.org/TR/trace-context/#traceparent-header). */
function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId] = VERSION_00.exec(text ?? "") ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}

/** The first that is one. */
export function findTraceparent(...given: readonly unknown[]): string | undefined {
  return given.find(
    (each): each is string => typeof each === "string" && parseTraceparent(each) !== undefined,
  );
}

/** What the record of a run has of it. */
type Recorded = {
  readonly id: string;
  readonly acceptedAt: Date;
  readonly traceparent?: string | undefined;
};
export type RunSpan = SpanContext & { readonly parent?: SpanContext | undefined };

/**
 * The span of a whole run, in the trace of the request or event that asked for it. It follows from the record: each process that
 * carries the run out derives the same.
 */
export function spanOf({ id, acceptedAt, traceparent }: Recorded): RunSpan {
  const parent = parseTraceparent(traceparent);
  const hash = createHash("sha256").update(`${id} ${acceptedAt.toISOString()}`).digest("hex");
  return { traceId: parent?.traceId ?? hash.slice(0, 32), spanId: hash.slice(32, 48), parent };
}

const current = new AsyncLocalStorage<string>();

/** What `work` sends to others bears this `traceparent`. */
export function traced<Result>({ traceId, spanId }: SpanContext, work: () => Result): Result {
  return current.run(`00-${traceId}-${spanId}-01`, work);
}

/** The header of a request that is sent now; none where nothing is traced. */
export function traceHeaders(): { readonly traceparent?: string } {
  const traceparent = current.getStore();
  return traceparent === undefined ? {} : { traceparent };
}
