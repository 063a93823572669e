import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

type Value = string | number | boolean;

type ReceivedSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly fault: string | undefined;
  readonly resource: Readonly<Record<string, Value>>;
};

/** What OTEL_EXPORTER_OTLP_ENDPOINT names: takes traces as OTLP has them in protobuf, and answers with `status`. */
export async function collector(status = 200) {
  const spans: ReceivedSpan[] = [];
  const asked: { readonly path: string | undefined; readonly headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url, headers: request.headers });
    void buffer(request).then((body) => {
      if (status === 200) spans.push(...spansIn(body));
      response.writeHead(status).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
function spansIn(request: Buffer): ReceivedSpan[] {
  return all(request, 1).flatMap((resourceSpans) => {
    const resource = attributesIn(all(resourceSpans, 1).flatMap((each) => all(each, 1)));
    return all(resourceSpans, 2)
      .flatMap((scopeSpans) => all(scopeSpans, 2))
      .map((span) => toSpan(span, resource));
  });
}

function toSpan(span: Buffer, resource: ReceivedSpan["resource"]): ReceivedSpan {
  const [traceId = "", spanId = "", parentSpanId = ""] = [1, 2, 4].map((field) =>
    all(span, field)[0]?.toString("hex"),
  );
  const [startMs = 0, endMs = 0] = [7, 8].map((field) =>
    Number((all(span, field)[0]?.readBigUInt64LE() ?? 0n) / 1_000_000n),
  );
  const [status] = all(span, 15);
  const isError = status !== undefined && numberIn(status, 3) === 2;
  return {
    traceId,
    spanId,
    parentSpanId,
    startMs,
    endMs,
    resource,
    name: textIn(span, 5),
    attributes: attributesIn(all(span, 9)),
    fault: isError ? textIn(status, 2) : undefined,
  };
}

function attributesIn(pairs: readonly Buffer[]): Readonly<Record<string, Value>> {
  return Object.fromEntries(pairs.map((pair) => [textIn(pair, 1), valueIn(all(pair, 2)[0] ?? pair)]));
}

function valueIn(value: Buffer): Value {
  const number = all(value, 4)[0]?.readDoubleLE() ?? numberIn(value, 3);
  if (number !== undefined) return number;
  return numberIn(value, 2) === undefined ? textIn(value, 1) : numberIn(value, 2) === 1;
}

function textIn(message: Buffer, field: number): string {
  return all(message, field)[0]?.toString() ?? "";
}

function numberIn(message: Buffer, field: number): number | undefined {
  const [bytes] = all(message, field);
  return bytes && Number(readVarint(bytes, 0).value);
}

/** Each value of a field, as its bytes: https://protobuf.dev/programming-guides/encoding/ */
function all(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < message.length;) {
    const { value: tag, next } = readVarint(message, at);
    const { start, end } = extentOf(message, Number(tag & 7n), next);
    if (Number(tag >> 3n) === wanted) found.push(message.subarray(start, end));
    at = end;
  }
  return found;
}

function extentOf(message: Buffer, wireType: number, at: number) {
  if (wireType === 0) return { start: at, end: readVarint(message, at).next };
  if (wireType === 1) return { start: at, end: at + 8 };
  if (wireType === 5) return { start: at, end: at + 4 };
  const { value: length, next } = readVarint(message, at);
  return { start: next, end: next + Number(length) };
}

function readVarint(message: Buffer, from: number): { readonly value: bigint; readonly next: number } {
  let value = 0n;
  for (let at = from, shift = 0n; ; at++, shift += 7n) {
    const byte = message.readUInt8(at);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}
