import { HTTP, type Headers } from "cloudevents";
import * as z from "zod";
import { DormouseError, faultsIn, readMessage } from "../errors.ts";
import { decodeHeaderValue } from "../events/header-value.ts";
import { findTraceparent } from "../trace.ts";

export type IncomingEvent = {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Only when the sender gave one: the SDK would invent it, and two deliveries would differ. */
  readonly time?: Date | undefined;
  readonly subject?: string | undefined;
  readonly data?: unknown;
  /** Of the extension for distributed tracing, or of the request that brought the event. */
  readonly traceparent?: string | undefined;
};

type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As of an Idempotency-Key: each is kept in the record of its run, and hundreds of records are read for each new one. */
const MAX_NAME_BYTES = 255;
const name = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= MAX_NAME_BYTES, `is longer than ${MAX_NAME_BYTES} bytes`);
const STRUCTURED = "application/cloudevents+json";
const ANY_EVENT = "application/cloudevents";

const eventSchema = z.object({
  specversion: z.literal("1.0"),
  id: name,
  source: name,
  type: name,
  subject: z.string().optional(),
  data: z.unknown().optional(),
  data_base64: z.string().optional(),
  // https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
  traceparent: z.unknown().optional(),
});
/** RFC 3339; a PingSource sends nanoseconds. */
const timeSchema = z.iso.datetime({ offset: true });

/** Whether a `POST /` means to be an event, be it a good one or not: in structured mode, or in binary mode. */
export function isEventRequest(headers: IncomingHeaders): boolean {
  return mediaType(headers).startsWith(ANY_EVENT) || "ce-specversion" in headers;
}

/**
 * One event in binary or structured mode (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
 * Throws `event_invalid`, also for a batch.
 */
export function readEvent(headers: IncomingHeaders, body: string): IncomingEvent {
  const message = toMessage(headers, body);
  const event = eventSchema.safeParse(decode(message));
  if (!event.success) {
    throw invalid(faultsIn(event.error));
  }
  const { id, source, type, subject, data, data_base64: binary, traceparent } = event.data;
  return {
    id,
    source,
    type,
    subject,
    data: givenData(binary === undefined ? data : Buffer.from(binary, "base64").toString()),
    time: givenTime(message),
    traceparent: findTraceparent(traceparent, headers["traceparent"]),
  };
}

/** What the SDK reads: headers without the parameters, spaces and cases in which senders differ. */
type Message = { readonly headers: Headers; readonly body: unknown };

function toMessage(headers: IncomingHeaders, body: string): Message {
  const type = mediaType(headers);
  if (!type.startsWith(ANY_EVENT)) return { headers: readAttributes(headers), body };
  if (type !== STRUCTURED) {
    throw new DormouseError("event_invalid", `an event of type ${type} cannot be read`, {
      hint: `send each event in a request of its own, as ${STRUCTURED} or in binary mode`,
    });
  }
  try {
    return { headers: { "content-type": STRUCTURED }, body: JSON.parse(body) };
  } catch (error) {
    throw invalid("its body is not JSON", error);
  }
}

/** Without the type of its data, for the SDK parses only some of them: JSON is all that a function here takes. */
function readAttributes(headers: IncomingHeaders): Headers {
  const given = Object.entries(headers).filter(([name]) => isEventHeader(name));
  return Object.fromEntries(
    given.map(([name, value]) => [name.toLowerCase(), decodeHeaderValue(String(value ?? ""))]),
  );
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
function decode(message: Message): unknown {
  try {
    return HTTP.toEvent(message);
  } catch (error) {
    throw invalid(readMessage(error), error);
  }
}

function givenTime({ headers, body }: Message): Date | undefined {
  const isStructured = typeof body === "object" && body !== null;
  const text = isStructured ? (body as { readonly time?: unknown }).time : headers["ce-time"];
  if (text === undefined) return undefined;
  const time = timeSchema.safeParse(text);
  if (!time.success) throw invalid(`time: ${time.error.issues[0]?.message ?? "is no RFC 3339 timestamp"}`);
  return new Date(time.data);
}

/** In any case, and without parameters (RFC 9110, 8.3.1). */
function mediaType(headers: IncomingHeaders): string {
  const [type = ""] = String(headers["content-type"] ?? "").split(";");
  return type.trim().toLowerCase();
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
