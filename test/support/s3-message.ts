import type { IncomingMessage } from "node:http";

/** A request, read to its end. */
export type Asked = {
  readonly method: string;
  readonly url: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
};

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer | string;
};

/** The SHA-256 that a request says its body has. */
export function sumIn(headers: IncomingMessage["headers"]): string | undefined {
  const sum = headers["x-amz-checksum-sha256"];
  return typeof sum === "string" ? sum : undefined;
}

export function refusal(status: number, code: string): Answer {
  const body = `<Error><Code>${code}</Code><Message>the able store refuses</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body };
}

export function tagIn(body: Buffer | string, tag: string): string {
  return new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(String(body))?.[1] ?? "";
}
