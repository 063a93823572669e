import { HTTP, type Headers } from "cloudevents";
import * as z from "zod";
import { DormouseError } from "../errors.ts";

export type IncomingEvent = {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Only when the sender gave one: the SDK would invent it, and two deliveries would differ. */
  readonly time?: Date | undefined;
  readonly subject?: string | undefined;
  readonly data?: unknown;
};

export type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As of an Idempotency-Key: each is kept in the record of its run, and 500 records are read for each new one. */
const MAX_NAME_BYTES = 255;
const name = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= MAX_NAME_BYTES, `is longer than ${MAX_NAME_BYTES} bytes`);

const eventSchema = z.object({
  specversion: z.literal("1.0"),
  id: name,
  source: name,
  type: name,
  subject: z.string().optional(),
  data: z.unknown().optional(),
});
/** RFC 3339; a PingSource sends nanoseconds. */
const timeSchema = z.iso.datetime({ offset: true });

/** Whether a request means to be an event, be it a good one or not. */
export function isEventRequest(headers: IncomingHeaders): boolean {
  return (
    contentType(headers).startsWith("application/cloudevents") || Object.keys(headers).some(isEventHeader)
  );
}

/**
 * One event in binary or structured mode (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
 * Throws `event_invalid`, also for a batch.
 */
export function readEvent(headers: IncomingHeaders, body: string): IncomingEvent {
  if (contentType(headers).startsWith("application/cloudevents-batch")) {
    throw new DormouseError("event_invalid", "a batch of events cannot be taken", {
      hint: "send each event in a request of its own",
    });
  }
  const event = eventSchema.safeParse(decode(headers, body));
  if (!event.success) {
    const faults = event.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw invalid(faults.join("; "));
  }
  const { id, source, type, subject, data } = event.data;
  return { id, source, type, subject, data: givenData(data), time: givenTime(headers, body) };
}

/** The SDK makes an empty string of no data, and leaves a string where the sender named no content type. */
function givenData(data: unknown): unknown {
  if (data === null || data === "") return undefined;
  if (typeof data !== "string") return data;
  try {
    return JSON.parse(data);
  } catch (error) {
    throw invalid("its data are not JSON", error);
  }
}

/** The SDK throws TypeErrors and SyntaxErrors of its own, and checks little. */
function decode(headers: IncomingHeaders, body: string): unknown {
  try {
    return HTTP.toEvent({ headers: { ...headers } as Headers, body });
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

function givenTime(headers: IncomingHeaders, body: string): Date | undefined {
  const isStructured = contentType(headers).startsWith("application/cloudevents");
  const text: unknown = isStructured ? (JSON.parse(body) as { time?: unknown }).time : headers["ce-time"];
  if (text === undefined) return undefined;
  const time = timeSchema.safeParse(text);
  if (!time.success) throw invalid(`time: ${time.error.issues[0]?.message ?? "is no RFC 3339 timestamp"}`);
  return new Date(time.data);
}

function contentType(headers: IncomingHeaders): string {
  const value = headers["content-type"];
  return typeof value === "string" ? value.toLowerCase() : "";
}

function isEventHeader(name: string): boolean {
  return /^ce-/i.test(name);
}

function invalid(why: string, cause?: unknown): DormouseError {
  return new DormouseError("event_invalid", `the event cannot be read: ${why}`, {
    hint: "send a CloudEvent 1.0 with id, source and type, in binary or structured mode",
    cause,
  });
}
